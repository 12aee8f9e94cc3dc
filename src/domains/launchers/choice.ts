import type { Connection } from '../../db/statements.ts'
import { ForbiddenError, NotFoundError, ValidationError } from '../../errors.ts'
import type { Launcher } from '../../generated/prisma/client.ts'
import { byIdOrName } from '../names.ts'

/** What an input says of the command that a project is to run; undefined and null say nothing. */
export interface GivenCommand {
  command?: string[] | null | undefined
  resumeArgs?: string[] | null | undefined
  workingDirectory?: string | null | undefined
}

/** What says how a run is started: the launcher of its project, or the project itself. */
export function launchedBy<Own, Chosen>(project: Own & { launcher: Chosen | null }): Own | Chosen {
  return project.launcher ?? project
}

/** A launcher, which everybody signed in may choose. @throws NotFoundError */
export async function requireLauncher(on: Connection, ref: string): Promise<Launcher> {
  const launcher = await on.launcher.findFirst({ where: byIdOrName('Launcher', ref) })
  if (!launcher) throw new NotFoundError('launcher', ref)
  return launcher
}

/**
 * Sees to it that a project gets a command of its own only where people may have some, and only when it has no
 * launcher, whose command it would run instead.
 *
 * @param launcher what the project will have
 * @throws ForbiddenError, ValidationError
 */
export async function checkOwnCommand(
  on: Connection,
  given: GivenCommand,
  { freeCommands, launcher }: { freeCommands: boolean; launcher: { name: string } | null },
): Promise<void> {
  const [field] = [
    given.command ? 'command' : [],
    given.resumeArgs && given.resumeArgs.length > 0 ? 'resumeArgs' : [],
    given.workingDirectory ? 'workingDirectory' : [],
  ].flat()
  if (field === undefined) return
  if (!freeCommands) throw new ForbiddenError(await whatToChoose(on))
  if (launcher) {
    throw ValidationError.at(field, `The project runs the command of the launcher ${launcher.name}.`)
  }
}

async function whatToChoose(on: Connection): Promise<string> {
  const launchers = await on.launcher.findMany({
    select: { name: true },
    orderBy: { name: 'asc' },
    take: 100,
  })
  const names = launchers.map(({ name }) => name)
  const which = names.length > 0 ? `there are ${names.join(', ')}` : 'an administrator has yet to make one'
  return `This server runs only commands of launchers: choose a launcher (${which}).`
}
