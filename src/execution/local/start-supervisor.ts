import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { LaunchError } from '../executor.ts'
import type { Role } from '../supervisor/main.ts'
import { FILES } from '../supervisor/records.ts'

/** A supervisor that was started; it may have ended already. */
export interface StartedSupervisor {
  hasEnded: () => boolean
  /** Null while it runs, and when a signal ended it. */
  exitCode: () => number | null
}

/**
 * Starts the supervisor's program in a session of its own, so that neither the end of this process
 * nor Ctrl-C in its terminal reaches it, and without any of this process's environment. Its output goes
 * to a stream that is open already, whose file it inherits: what execa opens itself it copies through this
 * process, and that would end with it.
 *
 * @throws {LaunchError} the machine could not start it
 */
export async function startSupervisor(role: Role, directory: string): Promise<StartedSupervisor> {
  const log = createWriteStream(join(directory, FILES.supervisorLog), { flags: 'a', mode: 0o640 })
  try {
    await once(log, 'open')
    const { nodeChildProcess: supervisor } = execa(process.execPath, [...SMALL, PROGRAM, role, directory], {
      cwd: directory,
      env: {},
      extendEnv: false,
      stdin: 'ignore',
      stdout: log,
      stderr: log,
      buffer: false,
      detached: true,
      cleanup: false,
      reject: false,
    })
    // Rejects with the error, if there is one.
    await once(supervisor, 'spawn')
    supervisor.unref()
    return {
      hasEnded: () => supervisor.exitCode !== null || supervisor.signalCode !== null,
      exitCode: () => supervisor.exitCode,
    }
  } catch (error) {
    throw new LaunchError('The supervisor could not be started.', { cause: error })
  } finally {
    log.close()
  }
}

/** One runs beside every run for its whole life: V8 shall collect rather than grow. */
const SMALL = ['--max-old-space-size=64', '--max-semi-space-size=1']

/** In the folder beside this one, and of the same kind: TypeScript in a checkout, JavaScript in a package. */
const PROGRAM = fileURLToPath(
  new URL(`../supervisor/main${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)
