import { describe, expect, test } from 'vitest'
import { follow, type StreamRead } from '../../src/streams/follow.ts'
import { createSignals, type Signals } from '../../src/streams/signals.ts'
import { until } from '../support/until.ts'

const TOPIC = 'numbers'

/** A stream of numbers in memory, of which a read gives at most two. */
function numberStream() {
  const stored: number[] = []
  let ended = false
  let reads = 0
  /** Called in the middle of every read, when the rows are taken and before they are returned. */
  let during = async () => {}
  const counted = countListeners(createSignals())
  const notify = () => counted.signals.notify(TOPIC)
  return {
    ...counted,
    reads: () => reads,
    notify,
    during: (work: typeof during) => {
      during = work
    },
    add(...numbers: number[]) {
      stored.push(...numbers)
      notify()
    },
    end() {
      ended = true
      notify()
    },
    from: (position: number) =>
      follow<number[], number>({
        signals: counted.signals,
        topic: TOPIC,
        from: position,
        async read(after): Promise<StreamRead<number[], number>> {
          reads++
          const over = ended
          const item = stored.slice(after, after + 2)
          await during()
          const position = after + item.length
          return {
            item: item.length > 0 ? item : null,
            position,
            more: position < stored.length,
            ended: over,
          }
        },
      }),
  }
}

/** Signals that tell how many listen. */
function countListeners(signals: Signals) {
  let listeners = 0
  const counting: Signals = {
    notify: signals.notify,
    listen(topic, listener) {
      listeners++
      const stop = signals.listen(topic, listener)
      let stopped = false
      return () => {
        if (!stopped) listeners--
        stopped = true
        stop()
      }
    },
  }
  return { signals: counting, listeners: () => listeners }
}

async function collect(stream: AsyncIterable<number[]>): Promise<number[]> {
  const all: number[] = []
  for await (const batch of stream) all.push(...batch)
  return all
}

describe('following a stream', () => {
  test('delivers what is stored, then what is added, and ends with the stream', async () => {
    const numbers = numberStream()
    numbers.add(1, 2, 3, 4, 5)
    const stream = numbers.from(1)
    expect(await stream.next()).toEqual({ done: false, value: [2, 3] })
    expect(await stream.next()).toEqual({ done: false, value: [4, 5] })
    const later = stream.next()
    numbers.add(6)
    expect(await later).toEqual({ done: false, value: [6] })
    numbers.end()
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(numbers.listeners()).toBe(0)
  })

  test('delivers everything of a stream that has ended before it ends', async () => {
    const numbers = numberStream()
    numbers.add(1, 2, 3, 4, 5)
    numbers.end()
    expect(await collect(numbers.from(0))).toEqual([1, 2, 3, 4, 5])
  })

  test('misses nothing that is added while it reads', async () => {
    const numbers = numberStream()
    let added = 0
    numbers.during(async () => {
      if (added < 20) numbers.add(++added)
      else numbers.end()
    })
    expect(await collect(numbers.from(0))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('reads once for any number of wake-ups, and not at all without one', async () => {
    const numbers = numberStream()
    const stream = numbers.from(0)
    const first = stream.next()
    await until('it to have looked', () => numbers.reads() === 1)
    for (let n = 0; n < 2000; n++) numbers.notify()
    numbers.add(1)
    await first
    const reads = numbers.reads()
    expect(reads).toBeLessThan(5)
    const next = stream.next()
    numbers.add(2)
    expect(await next).toEqual({ done: false, value: [2] })
    expect(numbers.reads()).toBeLessThan(reads + 3)
    await stream.return?.()
  })

  test('reads nothing ahead for a reader that does not ask', async () => {
    const numbers = numberStream()
    const stream = numbers.from(0)
    numbers.add(1)
    await stream.next()
    for (let n = 0; n < 100; n++) numbers.add(n)
    expect(numbers.reads()).toBe(1)
    await stream.return?.()
  })

  test('stops listening at once when it is returned, also in the middle of a wait or a read', async () => {
    const numbers = numberStream()
    const waiting = numbers.from(0)
    const pending = waiting.next()
    await until('it to have looked', () => numbers.reads() === 1)
    await waiting.return?.()
    expect(await pending).toEqual({ done: true, value: undefined })

    const reading = numbers.from(0)
    const { promise: hold, resolve: release } = Promise.withResolvers<void>()
    numbers.during(() => hold)
    const held = reading.next()
    await until('it to read', () => numbers.reads() === 2)
    await reading.return?.()
    expect(numbers.listeners()).toBe(0)
    release()
    expect((await held).done).toBe(true)

    const unused = numbers.from(0)
    expect(numbers.listeners()).toBe(1)
    await unused.return?.()
    expect(numbers.listeners()).toBe(0)
    expect(await unused.next()).toEqual({ done: true, value: undefined })
  })

  test('fails with the error of a read, and then is over', async () => {
    const { signals, listeners } = countListeners(createSignals())
    const stream = follow<number, number>({
      signals,
      topic: TOPIC,
      from: 0,
      read: () => Promise.reject(new Error('the disk is gone')),
    })
    await expect(stream.next()).rejects.toThrow('the disk is gone')
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(listeners()).toBe(0)
  })

  test('answers calls that are made at the same time in their order', async () => {
    const numbers = numberStream()
    numbers.add(1, 2, 3, 4)
    numbers.end()
    const stream = numbers.from(0)
    expect(await Promise.all([stream.next(), stream.next(), stream.next()])).toEqual([
      { done: false, value: [1, 2] },
      { done: false, value: [3, 4] },
      { done: true, value: undefined },
    ])
  })
})

describe('signals', () => {
  test('reach who listens to the topic, until they stop', () => {
    const signals = createSignals()
    const heard: string[] = []
    const stopFirst = signals.listen('a', (id) => heard.push(`first ${id}`))
    signals.listen('a', (id) => heard.push(`second ${id}`))
    signals.listen('b', () => heard.push('never'))
    signals.notify('a', '1')
    stopFirst()
    stopFirst()
    signals.notify('a', '2')
    expect(heard).toEqual(['first 1', 'second 1', 'second 2'])
  })

  test('may be listened to and left while they are given', () => {
    const signals = createSignals()
    const heard: string[] = []
    const stop = signals.listen('a', () => {
      heard.push('once')
      stop()
      signals.listen('a', () => heard.push('later'))
    })
    signals.notify('a')
    expect(heard).toEqual(['once'])
    signals.notify('a')
    expect(heard).toEqual(['once', 'later'])
  })
})
