import type { Database, Transaction } from '../../db/database.ts'
import type { BucketRow } from '../../db/statements.ts'
import { takeNumbers } from '../../streams/log-lines.ts'

/** How a value that is not a finite number is kept: as its position here. */
export const NON_FINITE = [null, 'NAN', 'INFINITY', 'NEGATIVE_INFINITY'] as const
export type NonFinite = NonNullable<(typeof NON_FINITE)[number]>

/** A measurement: a value of a key at a step. The value may be NaN or infinite. */
export interface MetricPoint {
  key: string
  step: number
  value: number
  timestamp: Date
}

/** A stored value as clients see it: a number, and what it stands for when it is not one. */
export interface StoredValue {
  value: number
  nonFinite: NonFinite | null
}

/** Steps that go together in a chart. `min`, `max`, `mean` and `last` are of the finite values, 0 without any. */
export interface MetricBucket {
  step: number
  lastStep: number
  min: number
  max: number
  mean: number
  last: number
  count: number
  nonFiniteCount: number
}

/** What a run measured under one key. */
export interface MetricSeries {
  key: string
  pointCount: number
  buckets: MetricBucket[]
}

/** The parts of a run that its metrics hang on. */
interface RunOfMetrics {
  id: string
  metricStreamId: number
}

/**
 * Stores points and keeps the latest value of each key: the one of the highest step, the last to arrive
 * among equals. A point that is there already (same key, step and value) is left out, so that a report
 * can safely be sent again.
 */
export async function appendMetrics(
  database: Database,
  tx: Transaction,
  run: RunOfMetrics,
  points: MetricPoint[],
): Promise<void> {
  if (points.length === 0) return
  const series = await seriesOf(tx, run.id, points)
  const first = await takeNumbers(tx, run.metricStreamId, points.length)
  await database.sql.insertMetricPoints(
    tx,
    run.metricStreamId,
    points.map((point, index) => ({
      seriesId: idOf(series, point.key),
      step: point.step,
      ...toColumns(point.value),
      seq: first + index,
      timestamp: point.timestamp.getTime(),
    })),
  )
  const growth = await database.sql.readSeriesGrowth(tx, run.metricStreamId, first - 1)
  if (growth.length === 0) return
  const lastSteps = new Map([...series.values()].map(({ id, lastStep }) => [id, lastStep]))
  await database.sql.growSeries(
    tx,
    growth.map((row) => ({ ...row, isLast: row.step >= (lastSteps.get(row.seriesId) ?? row.step) })),
  )
}

/** A stored value for clients; infinities come as the largest numbers there are, NaN as 0. */
export function toStoredValue(value: number, nonFinite: number): StoredValue {
  const name = NON_FINITE[nonFinite] ?? null
  if (name === 'INFINITY') return { value: Number.MAX_VALUE, nonFinite: name }
  if (name === 'NEGATIVE_INFINITY') return { value: -Number.MAX_VALUE, nonFinite: name }
  return { value, nonFinite: name }
}

/** A value of a key at a step as clients see it. */
export interface DeliveredPoint extends StoredValue {
  key: string
  step: number
  timestamp: Date
}

/** The latest value of a series. */
export function latestOf(series: {
  key: string
  lastStep: number
  lastValue: number
  lastNonFinite: number
  lastTimestamp: bigint
}): DeliveredPoint {
  return {
    key: series.key,
    step: series.lastStep,
    timestamp: new Date(Number(series.lastTimestamp)),
    ...toStoredValue(series.lastValue, series.lastNonFinite),
  }
}

/** Reads series of a run in at most `maxPoints` buckets of equally many steps, each with its extremes. */
export async function readSeries(
  database: Database,
  runId: string,
  options: { keys?: string[] | null; maxPoints: number; minStep: number; maxStep: number },
): Promise<MetricSeries[]> {
  const all = await database.prisma.metricSeries.findMany({
    where: { runId, ...(options.keys && { key: { in: options.keys } }) },
    orderBy: { key: 'asc' },
  })
  const result: MetricSeries[] = []
  for (const { id, key } of all) {
    const range = await database.sql.readStepRange(database.prisma, id, options.minStep, options.maxStep)
    if (!range) {
      result.push({ key, pointCount: 0, buckets: [] })
      continue
    }
    const width = Math.ceil((range.last - range.first + 1) / options.maxPoints)
    const rows = await database.sql.readBuckets(database.prisma, id, { ...range, width })
    const lastValues = await database.sql.readLastValues(
      database.prisma,
      id,
      rows.map((row) => row.lastStep),
    )
    result.push({ key, pointCount: range.count, buckets: rows.map((row) => toBucket(row, lastValues)) })
  }
  return result
}

function toBucket(row: BucketRow, lastValues: Map<number, number>): MetricBucket {
  const mean = row.mean ?? 0
  return {
    step: row.firstStep,
    lastStep: row.lastStep,
    min: row.min ?? 0,
    max: row.max ?? 0,
    mean,
    last: lastValues.get(row.lastStep) ?? mean,
    count: row.count,
    nonFiniteCount: row.nonFiniteCount,
  }
}

type SeriesByKey = Map<string, { id: number; lastStep: number }>

async function seriesOf(tx: Transaction, runId: string, points: MetricPoint[]): Promise<SeriesByKey> {
  const firstOfKey = new Map<string, MetricPoint>()
  for (const point of points) if (!firstOfKey.has(point.key)) firstOfKey.set(point.key, point)
  const keys = [...firstOfKey.keys()]
  const read = () =>
    tx.metricSeries.findMany({
      where: { runId, key: { in: keys } },
      select: { id: true, key: true, lastStep: true },
    })

  const existing = await read()
  const known = new Set(existing.map((series) => series.key))
  const missing = [...firstOfKey.values()].filter((point) => !known.has(point.key))
  if (missing.length === 0) return new Map(existing.map((series) => [series.key, series]))
  await tx.metricSeries.createMany({
    data: missing.map(({ key, value, timestamp }) => {
      const columns = toColumns(value)
      return {
        runId,
        key,
        // Below every step, so that the first point to be counted becomes the latest.
        lastStep: MIN_STEP,
        lastValue: columns.value,
        lastNonFinite: columns.nonFinite,
        lastTimestamp: timestamp.getTime(),
      }
    }),
  })
  return new Map((await read()).map((series) => [series.key, series]))
}

/** What a script calls a metric, as a key that every database gives back as it was stored. */
export function toMetricKey(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced here
  return name.toWellFormed().replace(/[\u0000-\u001f\u007f]/g, '\ufffd')
}

/** The range of a step: GraphQL's Int. */
export const MIN_STEP = -(2 ** 31)
export const MAX_STEP = 2 ** 31 - 1

function idOf(series: SeriesByKey, key: string): number {
  const found = series.get(key)
  if (!found) throw new Error(`The series ${key} was not created.`)
  return found.id
}

function toColumns(value: number): { value: number; nonFinite: number } {
  if (Number.isFinite(value)) return { value, nonFinite: 0 }
  const name: NonFinite = Number.isNaN(value) ? 'NAN' : value > 0 ? 'INFINITY' : 'NEGATIVE_INFINITY'
  return { value: 0, nonFinite: NON_FINITE.indexOf(name) }
}
