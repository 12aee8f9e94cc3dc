import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Measurement } from '../bench-case.ts'

const PROGRAM = join(import.meta.dirname, '../run-case.ts')

/**
 * Runs a case in a process of its own, so that neither its memory nor its garbage disturbs the next.
 *
 * @param folder where it, and what it starts, keep their temporary files
 * @throws when the case fails; why, it has said on stderr
 */
export async function runIsolated(
  name: string,
  { scale, folder, signal }: { scale: number; folder: string; signal: AbortSignal },
): Promise<Measurement[]> {
  const child = fork(PROGRAM, [name, String(scale)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: { ...process.env, TMPDIR: folder },
    // A group of its own: what it has started ends with it when it is cut off.
    detached: true,
  })
  const cutOff = () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  signal.addEventListener('abort', cutOff)
  let measurements: Measurement[] | null = null
  child.on('message', (message: Measurement[]) => {
    measurements = message
  })
  try {
    const [exitCode] = await once(child, 'exit')
    if (exitCode !== 0 || measurements === null) throw new Error(`The case ${name} failed.`)
    return measurements
  } finally {
    signal.removeEventListener('abort', cutOff)
  }
}
