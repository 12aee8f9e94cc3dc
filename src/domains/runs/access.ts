import type { Connection } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import type { Prisma, Run } from '../../generated/prisma/client.ts'
import { isAdministrator, type Principal } from '../accounts/principal.ts'
import { requireRole, visibleProjects } from '../projects/access.ts'
import type { ProjectRole } from '../projects/roles.ts'

/** The runs that somebody may see: those of the projects that they see, and its own for the process of a run. */
export function visibleRuns(principal: Principal): Prisma.RunWhereInput {
  if (principal.kind === 'run') return { id: principal.runId }
  return isAdministrator(principal) ? {} : { project: visibleProjects(principal) }
}

/**
 * A run that somebody sees, who has a role in its project. The process of the run needs none.
 *
 * @throws NotFoundError, ForbiddenError
 */
export async function requireRun(
  on: Connection,
  principal: Principal,
  id: string,
  needed: ProjectRole,
): Promise<Run> {
  const run = await on.run.findFirst({ where: { AND: [{ id }, visibleRuns(principal)] } })
  if (!run) throw new NotFoundError('run', id)
  if (principal.kind === 'user') await requireRole(on, principal, run.projectId, needed)
  return run
}
