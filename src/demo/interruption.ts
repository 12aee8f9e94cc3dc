import { constants } from 'node:os'

/** Somebody wants the demo to stop. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.exitCode = exitCode
  }
}

/** How the demo learns that it is to stop. */
export interface Interruption {
  /** Aborted with an InterruptedError. */
  signal: AbortSignal
  interrupt(reason: InterruptedError): void
}

/** npm passes on a Ctrl-C that the terminal has sent already: what comes so soon is the same one. */
const SAME_MS = 1000

/** Stops on the first signal to this process, and ends it at once on a second one. */
export function listenForSignals(onFirst: () => void): Interruption {
  const controller = new AbortController()
  const { signal } = controller
  const interrupt = (reason: InterruptedError) => {
    if (signal.aborted) return
    onFirst()
    controller.abort(reason)
  }
  let firstAt = Number.POSITIVE_INFINITY
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // As shells have it: 130 for Ctrl-C.
    const exitCode = 128 + constants.signals[name]
    process.on(name, () => {
      if (Date.now() - firstAt > SAME_MS) process.exit(exitCode)
      firstAt = Math.min(firstAt, Date.now())
      interrupt(new InterruptedError(`Stopped by ${name === 'SIGINT' ? 'Ctrl-C' : name}.`, exitCode))
    })
  }
  return { signal, interrupt }
}
