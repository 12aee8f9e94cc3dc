import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { type FollowOptions, follow, type Guard, type StreamRead } from './follow.ts'
import { createRecentlyUsed } from './recently-used.ts'
import type { Signals } from './signals.ts'

/** A stream that many follow. */
export interface SharedStream<Item, Position> {
  /** Whoever names the same key reads the same. */
  key: string
  /** Notified when there may be more to read. */
  topic: string
  read(position: Position): Promise<SizedRead<Item, Position>>
}

/** What a read found, and about how much memory that takes. */
export interface SizedRead<Item, Position> extends StreamRead<Item, Position> {
  bytes: number
}

/** The streams of one kind that are followed now. */
export interface SharedReads<Item, Position> {
  /**
   * Follows a stream, see `follow`, sharing each read with whoever stands at the same position.
   *
   * @param onFinish called once, when this one follows it no more
   */
  follow(
    stream: SharedStream<Item, Position>,
    from: Position,
    guard?: Guard,
    onFinish?: () => void,
  ): AsyncIterableIterator<Item>
  /** Reads once what followers at this position read. */
  read(stream: SharedStream<Item, Position>, position: Position): Promise<StreamRead<Item, Position>>
}

/** How a kind of streams is read. */
export interface SharedReadsOptions {
  signals: Signals
  /**
   * About how much of what was read is kept for those who come to it later, in bytes. Only for streams in
   * which what follows a position never changes once it is there, as in a log.
   *
   * @default 0: a read serves those who ask until the next notification
   */
  keptBytes?: number
}

/** The shortest time between two reads at the end of a stream, in ms: a busy one gives fewer, larger batches. */
const PACE_MS = 10

/** A read that is under way, or done and still true. */
interface CurrentRead<Item, Position> {
  /** Set once it has begun, so that it may miss what the next notification is about. */
  begun: boolean
  result: Promise<StreamRead<Item, Position>>
}

/**
 * Lets all followers of a stream who stand at the same position share one read of it, so that a thousand
 * cost what one costs. They also get the same object, by which later stages know what they have done
 * already. The event loop turns at least once for every read.
 */
export function createSharedReads<Item, Position extends string | number>({
  signals,
  keptBytes = 0,
}: SharedReadsOptions): SharedReads<Item, Position> {
  const open = new Map<string, ReturnType<typeof openStream>>()
  const kept = createRecentlyUsed<StreamRead<Item, Position>>(keptBytes)

  function openStream(stream: SharedStream<Item, Position>) {
    const current = new Map<Position, CurrentRead<Item, Position>>()
    let nextAtEnd = 0
    const stopListening = signals.listen(stream.topic, () => {
      for (const [position, read] of current) if (read.begun) current.delete(position)
    })

    async function perform(position: Position, onBegin: () => void) {
      const wait = nextAtEnd - Date.now()
      await (wait > 0 ? sleep(wait) : turn())
      onBegin()
      const { bytes, ...found } = await stream.read(position)
      if (!found.more) nextAtEnd = Date.now() + PACE_MS
      // Who takes it from there looks for more: by then there may be.
      if (isKept(found)) kept.add(keyOf(position), { ...found, more: true, ended: false }, bytes)
      return found
    }

    const isKept = (found: StreamRead<Item, Position>) => keptBytes > 0 && found.item !== null
    const keyOf = (position: Position) => `${stream.key} ${position}`

    return {
      users: 0,
      close: stopListening,
      async read(position: Position): Promise<StreamRead<Item, Position>> {
        const underWay = current.get(position)
        if (underWay) return underWay.result
        const earlier = kept.get(keyOf(position))
        if (earlier) {
          await turn()
          return earlier
        }
        const read: CurrentRead<Item, Position> = {
          begun: false,
          result: perform(position, () => {
            read.begun = true
          }),
        }
        current.set(position, read)
        const forget = () => {
          if (current.get(position) === read) current.delete(position)
        }
        read.result.then((found) => isKept(found) && forget(), forget)
        return read.result
      },
    }
  }

  function join(stream: SharedStream<Item, Position>) {
    const joined = open.get(stream.key) ?? openStream(stream)
    open.set(stream.key, joined)
    joined.users++
    const leave = () => {
      if (--joined.users > 0) return
      joined.close()
      open.delete(stream.key)
    }
    return { read: joined.read, leave }
  }

  return {
    follow(stream, from, guard, onFinish) {
      const { read, leave } = join(stream)
      const options: FollowOptions<Item, Position> = {
        signals,
        topic: stream.topic,
        from,
        read,
        guard,
        onFinish() {
          leave()
          onFinish?.()
        },
      }
      return follow(options)
    },
    async read(stream, position) {
      const { read, leave } = join(stream)
      try {
        return await read(position)
      } finally {
        leave()
      }
    },
  }
}
