import { describe, expect, test } from 'vitest'
import { createSharedReads, type SharedStream } from '../../src/streams/shared-reads.ts'
import { createSignals } from '../../src/streams/signals.ts'
import { until } from '../support/until.ts'

/** A log of numbers in memory, of which a read gives at most ten. */
function numberLog({ keptBytes = 1_000_000 }: { keptBytes?: number } = {}) {
  const signals = createSignals()
  const reads = createSharedReads<number[], number>({ signals, keptBytes })
  const stored: number[] = []
  const readFrom: number[] = []
  let ended = false
  /** Called in the middle of every read, when the rows are taken and before they are returned. */
  let during = async () => {}

  const log: SharedStream<number[], number> = {
    key: 'numbers',
    topic: 'numbers',
    async read(after) {
      readFrom.push(after)
      const over = ended
      const item = stored.slice(after, after + 10)
      const more = after + item.length < stored.length
      await during()
      const position = after + item.length
      return { item: item.length > 0 ? item : null, position, more, ended: over, bytes: 100 }
    },
  }
  return {
    reads,
    log,
    /** The positions that were read from, in the order of the reads. */
    readFrom,
    during: (work: typeof during) => {
      during = work
    },
    add(count: number) {
      for (let n = 0; n < count; n++) stored.push(stored.length + 1)
      signals.notify('numbers')
    },
    end() {
      ended = true
      signals.notify('numbers')
    },
    notify: () => signals.notify('numbers'),
    follow: (from = 0) => reads.follow(log, from),
  }
}

async function all<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of stream) items.push(item)
  return items
}

async function collect(stream: AsyncIterable<number[]>, into: number[] = []): Promise<number[]> {
  for await (const batch of stream) into.push(...batch)
  return into
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('followers of one stream', () => {
  test('share each read, and get the same object', async () => {
    const { follow, readFrom, add } = numberLog()
    const followers = numbers(1000).map(() => follow())
    const first = followers.map((follower) => follower.next())
    await until('all to wait', () => readFrom.length === 1)
    add(3)

    const items = new Set((await Promise.all(first)).map(({ value }) => value))

    expect([...items]).toEqual([[1, 2, 3]])
    expect(readFrom.length).toBeLessThan(4)
  })

  test('get everything once and in order when they come and go while it grows', async () => {
    const { follow, add, end } = numberLog()
    const collecting: Promise<number[]>[] = []
    for (let round = 0; round < 50; round++) {
      add(7)
      collecting.push(collect(follow()))
      const leaver = follow()
      await leaver.next()
      await leaver.return?.()
    }
    end()

    for (const received of collecting) expect(await received).toEqual(numbers(350))
  })

  test('who come later get what was read for the others, then what came meanwhile', async () => {
    const { follow, readFrom, add, end } = numberLog()
    add(25)
    const early = follow()
    for (const _ of numbers(3)) await early.next()
    add(5)
    const readsBefore = readFrom.length
    end()

    expect(await collect(follow())).toEqual(numbers(30))
    expect(readFrom.slice(readsBefore)).toEqual([25])
    expect(await collect(early)).toEqual(numbers(30).slice(25))
  })

  test('read again what there was no room to keep', async () => {
    const { follow, readFrom, add, end } = numberLog({ keptBytes: 150 })
    add(30)
    end()

    expect(await collect(follow())).toEqual(numbers(30))
    expect(await collect(follow())).toEqual(numbers(30))
    expect(readFrom).toEqual([0, 10, 20, 0, 10, 20])
  })

  test('never join a read that began before the news', async () => {
    const { follow, readFrom, during, add } = numberLog()
    const { promise: hold, resolve: release } = Promise.withResolvers<void>()
    during(() => hold)
    const early = follow().next()
    await until('the read to be under way', () => readFrom.length === 1)
    add(1)
    const late = follow().next()
    await until('a second read', () => readFrom.length === 2)
    release()

    expect(await Promise.all([early, late])).toEqual([
      { done: false, value: [1] },
      { done: false, value: [1] },
    ])
  })

  test('read a few times for 2,000 notifications in one tick', async () => {
    const { follow, readFrom, add, notify, end } = numberLog()
    const received: number[] = []
    const done = numbers(20).map(() => collect(follow(), received))
    await until('all to wait', () => readFrom.length === 1)
    for (let n = 0; n < 2000; n++) notify()
    add(1)
    end()
    await Promise.all(done)

    expect(received).toEqual(Array(20).fill(1))
    expect(readFrom.length).toBeLessThan(5)
  })

  test('all learn of a read that failed, and the next one reads again', async () => {
    const { follow, during, add } = numberLog()
    during(() => Promise.reject(new Error('the disk is gone')))
    add(1)
    const [one, other] = [follow(), follow()]

    expect((await Promise.allSettled([one.next(), other.next()])).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
    ])
    during(async () => {})
    expect(await follow().next()).toEqual({ done: false, value: [1] })
  })
})

describe('a stream of states', () => {
  test('gives a late follower the state of now, and one who stood still no old one', async () => {
    const signals = createSignals()
    const reads = createSharedReads<{ state: string }, string>({ signals })
    let state = 'queued'
    const states: SharedStream<{ state: string }, string> = {
      key: 'run',
      topic: 'run',
      async read(seen) {
        const item = seen === state ? null : { state }
        return { item, position: state, more: false, ended: state === 'over', bytes: 0 }
      },
    }
    const change = (to: string) => {
      state = to
      signals.notify('run')
    }
    const early = reads.follow(states, '')
    expect((await early.next()).value).toEqual({ state: 'queued' })
    change('running')
    const [witness, next] = [reads.follow(states, 'queued').next(), early.next()]
    expect((await witness).value).toBe((await next).value)
    change('stopping')
    change('over')

    expect(await all(early)).toEqual([{ state: 'over' }])
    expect(await all(reads.follow(states, ''))).toEqual([{ state: 'over' }])
  })
})
