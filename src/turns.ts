import { setImmediate as turn } from 'node:timers/promises'

/** Does `work` once all that was given before is done, and the event loop has turned. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Puts pieces of work that occupy the server, such as reads of the embedded database, in one line: whatever else
 * there is to do waits for one of them at most, however many there are.
 */
export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(() => turn()).then(work)
    last = result.catch(() => undefined)
    return result
  }
}
