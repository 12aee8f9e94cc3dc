import { setTimeout as sleep } from 'node:timers/promises'
import type { Signals } from './signals.ts'

/** What a read of a stream found. */
export interface StreamRead<Item, Position> {
  /** What to deliver, or null when there is nothing new. */
  item: Item | null
  /** Where the next read starts. */
  position: Position
  /** True when nothing can follow any more. */
  ended: boolean
}

/** How to follow a stream. */
export interface FollowOptions<Item, Position> {
  signals: Signals
  /** Notified when there may be more to read. */
  topic: string
  from: Position
  /** Called with the id that a notification names. */
  onSignal?: (id: string) => void
  read(position: Position): Promise<StreamRead<Item, Position>>
}

/** The shortest time between two deliveries while live, in ms: a busy stream sends fewer, larger messages. */
const PACE_MS = 20

/**
 * Delivers what a stream holds after a position, then what is added, until it has ended or `return` is
 * called. Nothing is buffered: a slow reader simply reads later, from where it was. `return` ends a
 * pending wait at once, which an async generator would not.
 */
export function follow<Item, Position>(options: FollowOptions<Item, Position>): AsyncIterableIterator<Item> {
  let position = options.from
  let finished = false
  let woken = true
  let wake: () => void = () => undefined
  let nextRead = 0

  const stopListening = options.signals.listen(options.topic, (id) => {
    if (id !== undefined) options.onSignal?.(id)
    woken = true
    wake()
  })
  const finish = () => {
    finished = true
    stopListening()
    wake()
  }

  async function pull(): Promise<IteratorResult<Item>> {
    while (!finished) {
      if (!woken) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        continue
      }
      // At least one turn of the event loop, so that a long replay never starves the rest of the server.
      await sleep(Math.max(0, nextRead - Date.now()))
      woken = false
      if (finished) break
      const read = await options.read(position)
      nextRead = Date.now() + PACE_MS
      position = read.position
      if (read.item !== null) {
        // There may be more than one read returns.
        woken = true
        return { done: false, value: read.item }
      }
      if (read.ended) finish()
    }
    return { done: true, value: undefined }
  }

  let last: Promise<unknown> = Promise.resolve()
  return {
    next() {
      const result = last.then(pull).catch((error: unknown) => {
        finish()
        throw error
      })
      last = result.catch(() => undefined)
      return result
    },
    async return() {
      finish()
      return { done: true, value: undefined }
    },
    async throw(error) {
      finish()
      throw error
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
