import type { Signals } from './signals.ts'

/** What a read of a stream found. */
export interface StreamRead<Item, Position> {
  /** What to deliver, or null when there is nothing new. */
  item: Item | null
  /** Where the next read starts. */
  position: Position
  /** True when there is, or may be, more to read at once. */
  more: boolean
  /** True when nothing can follow any more behind what is stored. */
  ended: boolean
}

/** Whether somebody may go on to follow a stream. */
export interface Guard {
  /** Notified when the answer may have changed. */
  topic: string
  /** Why they may not, as the stream ends with it; null while they may. Asked at the start and at every notification. */
  refusal(): Promise<Error | null>
}

/** How to follow a stream. */
export interface FollowOptions<Item, Position> {
  signals: Signals
  /** Notified when there may be more to read. */
  topic: string
  from: Position
  /** Called with the id that a notification names. */
  onSignal?: (id: string) => void
  /** Must let other work have its turn before it answers, so that a long replay never starves the server. */
  read(position: Position): Promise<StreamRead<Item, Position>>
  /** Ends the stream of those whose right to it is taken away; nobody's unless given. */
  guard?: Guard | undefined
  /** Called once, when nothing is read any more. */
  onFinish?: () => void
}

/**
 * Delivers what a stream holds after a position, then what is added, until it has ended or `return` is
 * called. Nothing is buffered: a slow reader simply reads later, from where it was. `return` ends a
 * pending wait at once, which an async generator would not.
 */
export function follow<Item, Position>(options: FollowOptions<Item, Position>): AsyncIterableIterator<Item> {
  let position = options.from
  let finished = false
  let woken = true
  let ended = false
  let refusal: Error | null = null
  let wake: () => void = () => undefined

  const stopListening = options.signals.listen(options.topic, (id) => {
    if (id !== undefined) options.onSignal?.(id)
    woken = true
    wake()
  })
  const { guard } = options
  const stopGuarding = guard && options.signals.listen(guard.topic, () => void checkGuard(guard))
  const finish = () => {
    if (finished) return
    finished = true
    stopListening()
    stopGuarding?.()
    options.onFinish?.()
    wake()
  }

  async function checkGuard(guard: Guard) {
    const refused = await guard.refusal().catch(asError)
    if (finished || !refused) return
    refusal = refused
    finish()
  }

  async function pull(): Promise<IteratorResult<Item>> {
    while (!finished) {
      if (ended) {
        finish()
      } else if (woken) {
        woken = false
        const read = await options.read(position)
        if (finished) break
        position = read.position
        if (read.more) woken = true
        else ended = read.ended
        if (read.item !== null) return { done: false, value: read.item }
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    if (refusal) {
      const why = refusal
      refusal = null
      throw why
    }
    return { done: true, value: undefined }
  }

  let last: Promise<unknown> = Promise.resolve()
  // From here on nothing is missed; what happened between the asking for the stream and now is asked for.
  if (guard) void checkGuard(guard)
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

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
