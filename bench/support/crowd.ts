import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { CrowdOrder, CrowdReport } from './crowd-process.ts'

/** Many WebSocket clients in a process of their own. */
export interface Crowd extends AsyncDisposable {
  /** Waits until each client has a message with the last mark in it. */
  finished(): Promise<CrowdReport>
}

/** Connects the clients; resolves when all are there, and have subscribed if they were told to. */
export async function gatherCrowd(order: CrowdOrder): Promise<Crowd> {
  const program = startProgram('crowd-process.ts')
  program.send(order)
  await nextMessage(program)
  const report = nextMessage<CrowdReport>(program)
  return { finished: () => report, [Symbol.asyncDispose]: () => end(program) }
}

/** A program of the benchmark in a process of its own. */
export function startProgram(file: string, ...args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, file), args, {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
  })
}

/** The next message of a program. @throws when it ends instead */
export async function nextMessage<T = unknown>(program: ChildProcess): Promise<T> {
  const ended = new AbortController()
  const gone = once(program, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`A process of the benchmark ended with exit code ${code}.`)
  })
  try {
    const [message] = await Promise.race([once(program, 'message'), gone])
    return message
  } finally {
    ended.abort()
    gone.catch(() => undefined)
  }
}

/** Ends a program. */
export async function end(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return
  const gone = once(program, 'exit')
  program.kill('SIGKILL')
  await gone
}
