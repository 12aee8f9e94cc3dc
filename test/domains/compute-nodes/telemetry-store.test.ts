import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TelemetrySample } from '../../../src/machine/types.ts'
import { DAY, givenTelemetry, HOUR, MINUTE, SECOND, START, sampleAt } from './support/telemetry.ts'

let given: Awaited<ReturnType<typeof givenTelemetry>>
beforeEach(async () => {
  given = await givenTelemetry()
})
afterEach(() => given.end())

/** A number from 0 to 100 that looks as if by chance, and is always the same at a time. */
const usageAt = (time: number) => Math.round(((Math.sin(time) + 1) / 2) * 10_000) / 100
const varying = (time: number) => ({ cpuUsage: usageAt(time) })

function expected(samples: TelemetrySample[]) {
  const values = samples.map(({ cpuUsage }) => cpuUsage)
  return {
    count: samples.length,
    min: Math.min(...values),
    max: Math.max(...values),
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  }
}

/** Checks that points say what the samples between their times come to; `until` ends the last. */
function expectPoints(
  points: Awaited<ReturnType<typeof given.chart>>,
  samples: TelemetrySample[],
  until: number,
) {
  for (const [index, point] of points.entries()) {
    const end = points[index + 1]?.at ?? until
    const within = samples.filter(
      ({ timestamp }) => timestamp.getTime() >= point.at && timestamp.getTime() < end,
    )
    const { count, min, max, mean } = expected(within)
    expect(point.count).toBe(count)
    expect(point.cpu?.min).toBeCloseTo(min, 1)
    expect(point.cpu?.max).toBeCloseTo(max, 1)
    expect(point.cpu?.mean).toBeCloseTo(mean, 1)
  }
  expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(samples.length)
}

describe('a chart', () => {
  test('of a few minutes shows the samples themselves', async () => {
    const samples = await given.measure(
      'node_1',
      { from: START, to: START + 5 * MINUTE, every: 2 * SECOND },
      varying,
    )
    const points = await given.chart({ since: new Date(START) })
    expect(points.map(({ at, cpu }) => [at, cpu?.mean])).toEqual(
      samples.map(({ timestamp, cpuUsage }) => [timestamp.getTime(), cpuUsage]),
    )
  })

  test.each([
    [1, HOUR],
    [7, HOUR],
    [300, HOUR],
    [300, 2 * HOUR],
    [24, 30 * HOUR],
    [500, 30 * HOUR],
  ])('of at most %i points in %i ms says what all samples come to', async (maxPoints, span) => {
    const to = START + span + 37 * SECOND
    const samples = await given.measure('node_1', { from: START, to, every: 15 * SECOND }, varying)
    const points = await given.chart({ since: new Date(START), maxPoints })
    expect(points.length).toBeLessThanOrEqual(maxPoints)
    expect(points.length).toBeGreaterThan(maxPoints / 3 - 1)
    expectPoints(points, samples, to)
  })

  test('goes on in coarser steps where the finer ones are not kept any more', async () => {
    const to = START + 40 * DAY
    const samples = await given.measure('node_1', { from: START, to, every: 5 * MINUTE }, varying)
    await given.store.sweep()
    expect(await given.rows(1)).toBeLessThanOrEqual((2 * HOUR) / (5 * MINUTE) + 1)
    expect(await given.rows(MINUTE)).toBeLessThanOrEqual((2 * DAY) / (5 * MINUTE) + 1)
    expect(await given.rows(15 * MINUTE)).toBeLessThanOrEqual((30 * DAY) / (15 * MINUTE) + 1)
    expect(await given.rows(4 * HOUR)).toBe(40 * 6 - 1)

    for (const maxPoints of [10, 300, 2000]) {
      const points = await given.chart({ since: new Date(START), maxPoints })
      expect(points.length).toBeLessThanOrEqual(maxPoints)
      expectPoints(points, samples, to)
    }
    const lastDays = await given.chart({ since: new Date(to - 3 * DAY), maxPoints: 2000 })
    expect(lastDays.at(-1)?.at).toBe(to - 5 * MINUTE)
  }, 60_000)

  test('leaves out the time of which nothing is known', async () => {
    await given.measure('node_1', { from: START, to: START + MINUTE, every: 15 * SECOND })
    await given.measure('node_1', { from: START + HOUR, to: START + HOUR + MINUTE, every: 15 * SECOND })
    const points = await given.chart({ since: new Date(START), maxPoints: 100 })
    expect(points.filter(({ at }) => at > START + 2 * MINUTE && at < START + HOUR)).toEqual([])
    expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(8)
  })

  test('of an empty range, and one with too many points, is refused', async () => {
    await expect(given.chart({ since: new Date(given.clock.now + DAY) })).rejects.toThrow()
    await expect(given.chart({ since: new Date(START - HOUR), maxPoints: 0 })).rejects.toThrow()
    await expect(given.chart({ since: new Date(START - HOUR), maxPoints: 2001 })).rejects.toThrow()
  })
})

describe('what is recorded', () => {
  test('counts once when it is sent twice, however late', async () => {
    const to = START + 20 * MINUTE
    const samples = await given.measure('node_1', { from: START, to, every: 10 * SECOND }, varying)
    const before = await given.chart({ since: new Date(START), maxPoints: 10 })
    for (const sample of samples) given.store.record('node_1', sample)
    for (const sample of samples) given.store.record('node_1', sample)
    await given.store.flush()
    await given.rollUps.roll()
    expect(await given.chart({ since: new Date(START), maxPoints: 10 })).toEqual(before)
    expectPoints(before, samples, to)
  })

  test('is added to what was rolled up already when it comes late', async () => {
    const to = START + 20 * MINUTE
    const samples = await given.measure('node_1', { from: START, to, every: 10 * SECOND }, varying)
    const late = sampleAt(START + MINUTE + 5 * SECOND, { cpuUsage: 100 })
    given.store.record('node_1', late)
    await given.store.flush()
    await given.rollUps.roll()
    const [point] = await given.chart({ since: new Date(START), maxPoints: 1 })
    expect(point).toMatchObject({ count: samples.length + 1, cpu: { max: 100 } })
  })

  test('is left out when it comes so late that the rest of its time is not kept, and makes nothing worse', async () => {
    await given.measure('node_1', { from: START, to: START + 5 * MINUTE, every: 10 * SECOND })
    given.clock.now = START + 3 * HOUR
    await given.rollUps.roll()
    await given.store.sweep()
    given.store.record('node_1', sampleAt(START + MINUTE, { cpuUsage: 100 }))
    await given.store.flush()
    await given.rollUps.roll()
    const [point] = await given.chart({ since: new Date(START), until: new Date(START + HOUR), maxPoints: 1 })
    expect(point).toMatchObject({ count: 30, cpu: { max: 10 } })
  })

  test('of a clock that is ahead counts as now, and of one that was set back is the latest after a while', async () => {
    given.store.record('node_1', sampleAt(START + DAY, { cpuUsage: 1 }))
    expect(given.store.latest('node_1')?.sample).toMatchObject({ cpuUsage: 1, timestamp: new Date(START) })

    given.clock.now = START + MINUTE
    given.store.record('node_1', sampleAt(START - MINUTE, { cpuUsage: 2 }))
    expect(given.store.latest('node_1')?.sample.cpuUsage).toBe(2)
  })

  test('is the latest only when it is newer', () => {
    const told: unknown[] = []
    given.signals.listen('node/node_1/telemetry', () =>
      told.push(given.store.latest('node_1')?.sample.cpuUsage),
    )
    given.store.record('node_1', sampleAt(START, { cpuUsage: 1 }))
    given.store.record('node_1', sampleAt(START, { cpuUsage: 2 }))
    given.store.record('node_1', sampleAt(START - SECOND, { cpuUsage: 3 }))
    given.store.record('node_1', sampleAt(START + SECOND, { cpuUsage: 4 }))
    expect(told).toEqual([1, 4])
  })

  test('goes on after a restart in the spans that were not over', async () => {
    const middle = START + 7 * MINUTE + 20 * SECOND
    const to = START + 20 * MINUTE
    const before = await given.measure('node_1', { from: START, to: middle, every: 10 * SECOND }, varying)
    await given.restart()
    const after = await given.measure('node_1', { from: middle, to, every: 10 * SECOND }, varying)
    await given.restart()
    expectPoints(await given.chart({ since: new Date(START), maxPoints: 4 }), [...before, ...after], to)
    expect(await given.rows(15 * MINUTE)).toBe(1)
  })

  test('is rolled up after a restart when the server died before it could', async () => {
    for (let time = START; time < START + 10 * MINUTE; time += 10 * SECOND) {
      given.clock.now = time
      given.store.record('node_1', sampleAt(time))
    }
    await given.store.flush()
    expect(await given.rows(MINUTE)).toBe(0)
    given.clock.now = START + 30 * MINUTE
    await given.restart()
    expect(await given.rows(MINUTE)).toBe(10)
    expect(await given.rows(15 * MINUTE)).toBe(1)
  })

  test('is stored once for each second, however often a node tells something', async () => {
    for (let time = START; time < START + 3 * SECOND; time += 10) {
      given.store.record('node_1', sampleAt(time))
    }
    await given.store.flush()
    expect(await given.rows(1)).toBe(3)
  })

  test('waits while the disk is full, and is bounded', async () => {
    const { database } = given
    await database.prisma.$queryRawUnsafe('PRAGMA max_page_count = 1')
    for (let count = 0; count < 21_000; count++) {
      given.clock.now += SECOND
      given.store.record('node_1', sampleAt(given.clock.now))
      if (count % 5000 === 4999) await given.store.flush()
    }
    expect(await given.rows(1)).toBe(0)
    expect(given.store.latest('node_1')?.sample.timestamp).toEqual(new Date(given.clock.now))

    await database.prisma.$queryRawUnsafe('PRAGMA max_page_count = 1000000')
    await given.store.flush()
    expect(await given.rows(1)).toBe(20_000)
  })

  test('of a node that is not there is dropped, and what is left of one that is gone is removed', async () => {
    given.store.record('node_3', sampleAt(START))
    await given.measure('node_1', { from: START, to: START + 2 * MINUTE, every: 10 * SECOND })
    await given.measure('node_2', { from: START, to: START + 2 * MINUTE, every: 10 * SECOND })
    await given.database.transaction((tx) => tx.computeNode.delete({ where: { id: 'node_2' } }))
    await given.store.sweep()
    const left = await given.database.prisma.telemetryBucket.findMany({ distinct: ['telemetryId'] })
    expect(left.map(({ telemetryId }) => telemetryId)).toEqual([1])
    expect(await given.rows(1)).toBe(12)
    expect(given.store.latest('node_2')).toBeNull()
  })

  test('takes one statement for all nodes', async () => {
    const statements: string[] = []
    given.store.record('node_1', sampleAt(START))
    await given.store.flush()
    given.store.record('node_1', sampleAt(START + SECOND))
    given.store.record('node_2', sampleAt(START))
    await given.store.flush()
    given.store.record('node_1', sampleAt(START + 2 * SECOND))
    given.store.record('node_2', sampleAt(START + 2 * SECOND))
    given.database.onStatement((sql) => statements.push(sql))
    await given.store.flush()
    expect(statements.filter((sql) => !/BEGIN|COMMIT/.test(sql))).toEqual([
      expect.stringMatching(/^INSERT INTO "TelemetryBucket"/),
    ])
  })
})
