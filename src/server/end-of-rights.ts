import type { Logger } from 'pino'
import type { Principal } from '../domains/accounts/principal.ts'
import type { StillValid } from '../domains/accounts/still-valid.ts'
import { accountTopics } from '../domains/accounts/topics.ts'
import type { Signals } from '../streams/signals.ts'

/**
 * How often all connections are looked at, in ms: a session ends by the clock too, and the operator's commands tell
 * nobody. What was begun with rights that are gone ends within 5 s.
 */
const CHECK_MS = 2000

/** What is needed to tell whose rights have ended. */
export interface EndOfRightsDependencies {
  signals: Signals
  stillValid: StillValid
  log: Logger
}

/**
 * Calls `end` for each connection whose credential counts no more, or for other rights than it had: at once when
 * that happens here, else at the next look.
 *
 * @param connections those that are open, with whom each speaks for
 * @returns a function that stops looking
 */
export function watchEndOfRights<Connection>(
  { signals, stillValid, log }: EndOfRightsDependencies,
  connections: () => [Connection, Principal][],
  end: (connection: Connection) => void,
): () => void {
  let current: Promise<void> = Promise.resolve()

  async function look(): Promise<void> {
    const open = connections()
    const verdicts = await stillValid(open.map(([, principal]) => principal))
    for (const [index, [connection]] of open.entries()) if (!verdicts[index]) end(connection)
  }

  // One after the other, so that a look that was asked for sees what it was asked for.
  const check = () => {
    current = current.then(look).catch((error: unknown) => {
      log.error({ err: error }, 'it cannot be told whose rights have ended; looking again')
    })
  }
  const timer = setInterval(check, CHECK_MS)
  const stopListening = signals.listen(accountTopics.rights, check)
  return () => {
    clearInterval(timer)
    stopListening()
  }
}
