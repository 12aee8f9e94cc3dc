import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const ADMIN = join(import.meta.dirname, '../../src/admin/main.ts')

/** What became of an admin command. */
export interface AdminOutcome {
  /** Null when a signal ended it. */
  exitCode: number | null
  output: string
  errors: string
}

/** Starts what `npm run admin -- ARGS` starts, with these settings and nothing else in its environment. */
export function startAdminCommand(
  args: string[],
  settings: Record<string, string>,
): { child: ChildProcess; over: Promise<AdminOutcome> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ADMIN, ...args], {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const over = (async () => {
    const [output, errors, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ])
    return { exitCode: exitCode as number | null, output, errors }
  })()
  return { child, over }
}

/** Runs an admin command to its end. */
export function runAdminCommand(args: string[], settings: Record<string, string>): Promise<AdminOutcome> {
  return startAdminCommand(args, settings).over
}
