import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { UserPrincipal } from '../../../src/domains/accounts/principal.ts'
import { createTelemetryHistory } from '../../../src/domains/compute-nodes/telemetry/history.ts'
import { createTelemetryService } from '../../../src/domains/compute-nodes/telemetry/service.ts'
import { spreadOf } from '../../../src/domains/compute-nodes/telemetry/summary.ts'
import { createWatched } from '../../../src/domains/compute-nodes/telemetry/watched.ts'
import { storedWidths } from '../../../src/domains/compute-nodes/telemetry/widths.ts'
import { until } from '../../support/until.ts'
import { givenTelemetry, START, sampleAt } from './support/telemetry.ts'

const READER: UserPrincipal = {
  kind: 'user',
  userId: 'usr',
  username: 'reader',
  role: 'MEMBER',
  scopes: ['READ'],
  mustChangePassword: false,
  credential: { kind: 'session', id: 'ses' },
  origin: { address: null, userAgent: null },
  expiresAt: null,
}

let given: Awaited<ReturnType<typeof givenTelemetry>>
let watched: ReturnType<typeof createWatched>
let service: ReturnType<typeof createTelemetryService>
/** How often node_1 was to sample itself, at each notification. */
let paces: number[]
beforeEach(async () => {
  given = await givenTelemetry()
  const { database, signals, store, rollUps } = given
  watched = createWatched({ signals, lingerMs: 200 })
  const history = createTelemetryHistory({ database, rollUps, widths: storedWidths(365), now: () => START })
  service = createTelemetryService({ database, signals, store, history, watched })
  paces = []
  signals.listen('node/node_1/orders', () => paces.push(watched.secondsOf('node_1')))
})
afterEach(() => given.end())

const record = (number: number) =>
  given.store.record('node_1', sampleAt(START + number, { cpuUsage: number }))

async function next(
  stream: AsyncIterator<{ summary: Parameters<typeof spreadOf>[0] }>,
): Promise<number | undefined> {
  const { value, done } = await stream.next()
  return done ? undefined : spreadOf(value.summary, 'cpuUsage')?.mean
}

describe('a stream of samples', () => {
  test('has each of them for a reader that keeps up, and the latest for one that does not', async () => {
    const fast = await service.watch(READER, 'node_1')
    const slow = await service.watch(READER, 'node_1')
    for (const number of [1, 2, 3]) {
      record(number)
      expect(await next(fast)).toBe(number)
    }
    expect(await next(slow)).toBe(3)
    for (let number = 4; number <= 1000; number++) record(number)
    expect(await next(slow)).toBe(1000)
    expect(await next(fast)).toBe(1000)
    await fast.return?.()
    await slow.return?.()
  })

  test('gives the same object to all who stand at the same place', async () => {
    const streams = await Promise.all(Array.from({ length: 5 }, () => service.watch(READER, 'node_1')))
    record(1)
    const points = await Promise.all(streams.map((stream) => stream.next()))
    expect(new Set(points.map(({ value }) => value)).size).toBe(1)
    for (const stream of streams) await stream.return?.()
  })

  test('ends when the node is removed, and there is none of a node that is not there', async () => {
    const stream = await service.watch(READER, 'node_1')
    const waiting = stream.next()
    await given.database.transaction((tx) => tx.computeNode.delete({ where: { id: 'node_1' } }))
    given.signals.notify('node/node_1')
    await expect(waiting).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await until('it is not watched any more', () => watched.secondsOf('node_1') === 15)
    await expect(service.watch(READER, 'node_1')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a node is to measure itself more often', () => {
  test('while somebody watches it, and a while after', async () => {
    expect(watched.secondsOf('node_1')).toBe(15)
    const one = await service.watch(READER, 'node_1')
    const other = await service.watch(READER, 'node_1')
    expect(watched.secondsOf('node_1')).toBe(2)
    await one.return?.()
    await turn()
    expect(watched.secondsOf('node_1')).toBe(2)
    await other.return?.()
    expect(watched.secondsOf('node_1')).toBe(2)
    await until('it is not watched any more', () => watched.secondsOf('node_1') === 15)
    expect(watched.secondsOf('node_2')).toBe(15)
    expect(paces).toEqual([2, 15])
  })

  test('while somebody asks again and again', async () => {
    let asked = 0
    await until('many questions', () => {
      service.latest({ id: 'node_1' })
      return ++asked === 20
    })
    expect(paces).toEqual([2])
    await until('it is not watched any more', () => watched.secondsOf('node_1') === 15)
    expect(paces).toEqual([2, 15])
  })
})
