import { join } from 'node:path'
import { createClient } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '../../../examples/arithmetic/random.ts'
import {
  type NonFinite,
  RunLogMetricsDocument,
  RunSeriesDocument,
  type RunSeriesQuery,
  RunsDeleteProjectDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'

type Bucket = NonNullable<RunSeriesQuery['run']>['metricSeries'][number]['buckets'][number]

interface Point {
  step: number
  value: number
}

let app: TestApp
let given: ReturnType<typeof seed>
let project: string
beforeAll(async () => {
  // Runs wait in the queue: reports are taken from the moment there is a run.
  app = await startTestApp({ maxConcurrentRuns: 1 })
  given = seed(app.api)
  project = await given.project({ command: ['sleep', '3600'] })
  await given.run({ project })
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const random = createRandom(20261121)
const integer = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
function pick<T>(items: T[]): T {
  const item = items[integer(0, items.length - 1)]
  if (item === undefined) throw new Error('There is nothing to pick from.')
  return item
}
const MIN_STEP = -(2 ** 31)
const MAX_STEP = 2 ** 31 - 1

/** A value like those of a training: mostly plain, sometimes repeated, now and then NaN, infinite or enormous. */
function someValue(): number {
  if (random() < 0.03) return pick([Number.NaN, Infinity, -Infinity])
  if (random() < 0.001) return pick([1.7e308, -1.7e308, 5e-324])
  return random() < 0.2 ? integer(-3, 3) : (random() - 0.5) * 10 ** integer(-3, 3)
}
const pointsAt = (steps: number[]): Point[] => steps.map((step) => ({ step, value: someValue() }))
const times = (count: number, stepOf: (index: number) => number) =>
  Array.from({ length: count }, (_, n) => stepOf(n))

/** What came to a run, in the order it came: each is stored, and then asked for in many ways. */
const SHAPES: Record<string, () => Point[]> = {
  'every step in order': () => pointsAt(times(25_000, (n) => n)),
  'negative steps to positive ones': () => pointsAt(times(24_000, (n) => 3 * n - 36_000)),
  'steps in any order, with many repeats': () => pointsAt(times(30_000, () => integer(-9000, 9000))),
  'late steps behind the rest': () =>
    pointsAt([...times(15_000, (n) => 20_000 + n), ...times(15_000, (n) => n)]),
  'steps all over the range': () => pointsAt(times(24_000, () => integer(MIN_STEP, MAX_STEP))),
  'sparse steps, then every step': () => [
    ...pointsAt(times(11_000, (n) => n * 1000)),
    ...pointsAt(times(35_000, (n) => 5_000_000 + n)),
  ],
  'every step, then sparse ones': () => [
    ...pointsAt(times(14_000, (n) => n)),
    ...pointsAt(times(10_000, (n) => (n - 5000) * 400_000)),
  ],
  'a step that never moves': () => pointsAt(times(22_000, (n) => (n < 21_000 ? 7 : integer(6, 9)))),
  'a report that is sent again': () => {
    const points = pointsAt(times(12_000, (n) => n * 5))
    return [...points, ...structuredClone(points.slice(3000)), ...pointsAt(times(3000, (n) => n * 7))]
  },
}

describe.each(Object.entries(SHAPES))('a series of %s', (_, make) => {
  const points = make()
  const stored = withoutRepeats(points)
  let id: string
  beforeAll(async () => {
    id = await given.run({ project })
    for (let start = 0; start < points.length; ) {
      const size = pick([10_000, 10_000, 9000, 4000, 1])
      await report(id, 'x', points.slice(start, start + size))
      start += size
    }
  })

  test.each([1, 2, 7, 100, 1000, 10_000])(
    'comes in up to %i buckets of exactly its points',
    async (maxPoints) => {
      await expectExact(id, stored, { maxPoints, minStep: MIN_STEP, maxStep: MAX_STEP })
    },
  )

  test('is exact between any two steps', async () => {
    for (let round = 0; round < 12; round++) {
      const ends = [pick(stored).step + integer(-20, 20), pick(stored).step + integer(-20, 20)]
      const [minStep, maxStep] = ends
        .map((step) => Math.min(Math.max(step, MIN_STEP), MAX_STEP))
        .sort((a, b) => a - b)
      await expectExact(id, stored, {
        maxPoints: pick([1, 3, 50, 400, 3000]),
        minStep: minStep ?? 0,
        maxStep: maxStep ?? 0,
      })
    }
  })

  test('costs few rows beyond its points', async () => {
    const { points, rollUps } = await countRows(id)
    expect(points).toBe(stored.length)
    expect(rollUps).toBeLessThan(points / 5)
  })
})

test('a series from before there were roll-ups is read as it is, and rolled up when it grows', async () => {
  const id = await given.run({ project })
  const points = pointsAt(times(10_000, (n) => n * 3))
  await report(id, 'x', points)
  const database = createClient({ url: `file:${join(app.dataDir, 'trainyard.db')}` })
  const series = `"seriesId" IN (SELECT "id" FROM "MetricSeries" WHERE "runId" = '${id}')`
  await database.execute(`DELETE FROM "MetricRollUp" WHERE ${series}`)
  await database.execute(`UPDATE "MetricSeries" SET "rollUpLevel" = NULL WHERE "runId" = '${id}'`)
  database.close()
  const all = { maxPoints: 100, minStep: MIN_STEP, maxStep: MAX_STEP }
  await expectExact(id, withoutRepeats(points), all)

  const late = pointsAt([5, 50_000])
  await report(id, 'x', late)
  expect((await countRows(id)).rollUps).toBeGreaterThan(0)
  await expectExact(id, withoutRepeats([...points, ...late]), all)
})

test('a series that is deleted leaves nothing behind', async () => {
  const name = await given.project({ command: ['true'] })
  const id = await given.run({ project: name })
  const before = await countRows()
  await report(id, 'x', pointsAt(times(10_000, (n) => n)))
  expect((await countRows(id)).rollUps).toBeGreaterThan(0)
  await given.cancel(id)
  await app.api.send(RunsDeleteProjectDocument, { input: { ref: name } })
  expect(await countRows()).toEqual(before)
})

/** Holds what the server says against the points themselves. */
async function expectExact(
  id: string,
  stored: Point[],
  range: { maxPoints: number; minStep: number; maxStep: number },
) {
  const [series] = await seriesOf(id, range)
  const asked = stored.filter(({ step }) => step >= range.minStep && step <= range.maxStep)
  const buckets = series?.buckets ?? []
  expect(series?.pointCount, JSON.stringify(range)).toBe(asked.length)
  expect(buckets.length).toBeLessThanOrEqual(range.maxPoints)

  const first = asked[0]?.step ?? 0
  const width = Math.ceil(((asked.at(-1)?.step ?? 0) - first + 1) / range.maxPoints)
  let [seen, before] = [0, Number.NEGATIVE_INFINITY]
  for (const bucket of buckets) {
    expect(bucket.step, JSON.stringify(range)).toBeGreaterThan(before)
    expect(bucket.lastStep - bucket.step).toBeLessThan(2 * width)
    const inside = asked.slice(seen, seen + bucket.count)
    expectSummary(bucket, inside, JSON.stringify(range))
    seen += bucket.count
    before = bucket.lastStep
  }
  expect(seen).toBe(asked.length)
}

/** How many rows the database has of a run, or of all runs. */
async function countRows(runId?: string) {
  const database = createClient({ url: `file:${join(app.dataDir, 'trainyard.db')}` })
  const count = async (table: string) => {
    const { rows } = await database.execute({
      sql: `SELECT COUNT(*) FROM "${table}" ${runId === undefined ? '' : 'WHERE "seriesId" IN (SELECT "id" FROM "MetricSeries" WHERE "runId" = ?)'}`,
      args: runId === undefined ? [] : [runId],
    })
    return Number(rows[0]?.[0])
  }
  const counts = { points: await count('MetricPoint'), rollUps: await count('MetricRollUp') }
  database.close()
  return counts
}

function expectSummary(bucket: Bucket, points: Point[], message: string) {
  const last = points.at(-1)?.step
  const finite = points.map(({ value }) => value).filter(Number.isFinite)
  const min = finite.length > 0 ? finite.reduce((a, b) => Math.min(a, b)) : 0
  const max = finite.length > 0 ? finite.reduce((a, b) => Math.max(a, b)) : 0
  const mean = finite.reduce((sum, value) => sum + value / finite.length, 0)
  const size = Math.max(Math.abs(min), Math.abs(max))
  const lastValue = points.findLast(({ step, value }) => step === last && Number.isFinite(value))?.value
  expect(bucket, message).toMatchObject({
    step: points[0]?.step,
    lastStep: last,
    min,
    max,
    count: points.length,
    nonFiniteCount: points.length - finite.length,
  })
  expect(Math.abs(bucket.mean - mean), message).toBeLessThanOrEqual(size * 1e-12 + Number.MIN_VALUE)
  expect(bucket.last, message).toBe(lastValue ?? bucket.mean)
}

/** By step, and of equal steps in the order they came; each step and value once. */
function withoutRepeats(points: Point[]): Point[] {
  const seen = new Map(points.toReversed().map((point) => [`${point.step} ${point.value}`, point]))
  const once = points.filter((point) => seen.get(`${point.step} ${point.value}`) === point)
  return once.sort((a, b) => a.step - b.step)
}

async function report(runId: string, key: string, points: Point[]) {
  const nonFinite = points.map(({ value }): NonFinite | null => {
    if (Number.isNaN(value)) return 'NAN'
    return Number.isFinite(value) ? null : value > 0 ? 'INFINITY' : 'NEGATIVE_INFINITY'
  })
  const steps = points.map(({ step }) => step)
  const values = points.map(({ value }) => (Number.isFinite(value) ? value : 0))
  const series = [{ key, steps, values, nonFinite }]
  const { logMetrics } = await app.api.send(RunLogMetricsDocument, { input: { runId, series } })
  expect(logMetrics).toMatchObject({ __typename: 'Run' })
}

async function seriesOf(id: string, range: { maxPoints: number; minStep: number; maxStep: number }) {
  return (await app.api.send(RunSeriesDocument, { id, keys: ['x'], ...range })).run?.metricSeries ?? []
}
