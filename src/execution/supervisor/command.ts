import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { LaunchSpec } from '../executor.ts'
import { type ProcessIdentity, processIdentity } from '../processes/identity.ts'
import { hasCode } from './atomic-file.ts'
import { type CommandEnd, FILES } from './records.ts'

/** A command that was started. */
export interface Command {
  identity: ProcessIdentity
  startedAt: number
  /** Null as long as it runs. */
  end: () => CommandEnd | null
  /** Resolves when it has ended. */
  ended: Promise<CommandEnd>
}

/** A specification that says where the command starts. */
type PlacedSpec = LaunchSpec & { cwd: string }

/** The command could not be started; the message says why, for people. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/**
 * Starts the command in a session of its own, with nothing but its own environment and the marker. It
 * writes straight into files: a pipe would end with its reader.
 *
 * @throws {StartError}
 */
export async function startCommand(launch: LaunchSpec): Promise<Command> {
  const spec = { ...launch, cwd: launch.cwd ?? process.cwd() }
  const stdout = openLog(spec, FILES.stdout)
  const stderr = openLog(spec, FILES.stderr)
  const [program, ...args] = spec.argv
  let child: ChildProcess
  try {
    child = spawn(program, args, {
      cwd: spec.cwd,
      env: { ...spec.env, [spec.marker.name]: spec.marker.value },
      stdio: ['ignore', stdout, stderr],
      detached: true,
    })
  } catch (error) {
    throw new StartError(reasonOf(error, spec))
  } finally {
    closeSync(stdout)
    closeSync(stderr)
  }

  let end: CommandEnd | null = null
  const { promise: ended, resolve } = Promise.withResolvers<CommandEnd>()
  child.once('exit', (exitCode, signal) => {
    end = { exitCode, signal, endedAt: Date.now() }
    resolve(end)
  })
  const startedAt = Date.now()
  // Asked before this process waits for anything, so even a command that has ended is still there.
  const identity = child.pid === undefined ? null : processIdentity(child.pid)
  if (!identity) {
    const failed = Promise.withResolvers<unknown>()
    child.once('error', failed.resolve)
    throw new StartError(reasonOf(await failed.promise, spec))
  }
  return { identity, startedAt, end: () => end, ended }
}

function openLog(spec: LaunchSpec, name: string): number {
  try {
    return openSync(join(spec.directory, name), 'a', 0o640)
  } catch (error) {
    throw new StartError(`its log cannot be written: ${messageOf(error)}`)
  }
}

/** The system's ENOENT and EACCES do not say which of the paths they mean; find out what a person has to repair. */
function reasonOf(error: unknown, spec: PlacedSpec): string {
  const [program] = spec.argv
  const folder = statSync(spec.cwd, { throwIfNoEntry: false })
  if (!folder) return `working directory not found: ${spec.cwd}`
  if (!folder.isDirectory()) return `working directory is not a directory: ${spec.cwd}`
  if (hasCode(error, 'ENOENT')) {
    // A script whose first line names a missing interpreter gives the same error as a missing script.
    return candidates(spec).some(exists)
      ? `the interpreter of ${program} was not found: see its first line`
      : `command not found: ${program}`
  }
  if (hasCode(error, 'EACCES')) {
    return isAccessible(spec.cwd)
      ? `command is not executable: ${program}`
      : `working directory may not be entered: ${spec.cwd}`
  }
  return `${program} could not be started: ${messageOf(error)}`
}

function candidates({ argv: [program], cwd, env }: PlacedSpec): string[] {
  if (program.startsWith('/')) return [program]
  if (program.includes('/')) return [join(cwd, program)]
  return (env.PATH ?? '').split(delimiter).map((folder) => join(folder || cwd, program))
}

const exists = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

function isAccessible(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
