import type { Database } from '../../db/database.ts'
import type { PointSummary, SeriesSegment } from '../../db/statements.ts'
import { ValidationError } from '../../errors.ts'
import type { InTurn } from '../../turns.ts'
import { rangeOf, TOP_LEVEL } from './metric-roll-ups.ts'

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

/** What there is of a series in the range asked for. */
export interface MetricChart {
  pointCount: number
  buckets: MetricBucket[]
}

/** What a run measured under one key. */
export interface MetricSeries {
  key: string
  /** Read once, however often it is asked for; in its turn, as reading and answering occupy the server. */
  chart: () => Promise<MetricChart>
}

/** The most buckets that all series of one answer have together. */
export const MAX_BUCKETS_TOGETHER = 50_000

/** Which part of a run's metrics to read, and in how many buckets at most. */
export interface SeriesSelection {
  keys?: string[] | null
  maxPoints: number
  minStep: number
  maxStep: number
}

/**
 * Finds series of a run, each to be read in at most `maxPoints` buckets of equally many steps with their extremes.
 * In a series that is rolled up, wide buckets begin and end where its ranges do.
 *
 * @throws ValidationError when there may be too many buckets in all of them together
 */
export async function findSeries(
  database: Database,
  inTurn: InTurn,
  runId: string,
  selection: SeriesSelection,
): Promise<MetricSeries[]> {
  const { keys, maxPoints, minStep, maxStep } = selection
  const all = await database.prisma.metricSeries.findMany({
    where: { runId, ...(keys && { key: { in: keys } }) },
    orderBy: { key: 'asc' },
  })
  const most = Math.max(Math.min(maxPoints, maxStep - minStep + 1), 0)
  const together = all.reduce((sum, { pointCount }) => sum + Math.min(most, pointCount), 0)
  if (together > MAX_BUCKETS_TOGETHER) {
    const message = `${all.length} series have up to ${together} buckets, and at most ${MAX_BUCKETS_TOGETHER} are read at once: name fewer keys, or lower maxPoints.`
    throw ValidationError.at(keys ? 'maxPoints' : 'keys', message)
  }
  return all.map((series) => {
    let chart: Promise<MetricChart> | null = null
    return {
      key: series.key,
      chart() {
        chart ??= inTurn(() => readChart(database, series, selection))
        return chart
      },
    }
  })
}

async function readChart(
  database: Database,
  { id, rollUpLevel }: { id: number; rollUpLevel: number | null },
  { maxPoints, minStep, maxStep }: SeriesSelection,
): Promise<MetricChart> {
  const found = await database.sql.readStepRange(database.prisma, id, minStep, maxStep)
  if (!found) return { pointCount: 0, buckets: [] }
  const { first, last } = found
  const { level, steps } = levelFor(Math.ceil((last - first + 1) / maxPoints), rollUpLevel)
  const origin = Math.floor(first / steps) * steps
  const ranges = Math.floor(last / steps) - origin / steps + 1
  const rows = await database.sql.readBuckets(database.prisma, id, {
    segments: toSegments(minStep, maxStep, level, rollUpLevel),
    origin,
    width: Math.ceil(ranges / maxPoints) * steps,
    rollUpLevel,
  })
  const pointCount = rows.reduce((sum, row) => sum + row.count, 0)
  return { pointCount, buckets: rows.map(toBucket) }
}

function toBucket(row: PointSummary): MetricBucket {
  const { min, max } = { min: row.min ?? 0, max: row.max ?? 0 }
  // A mean that was rounded must not lie beyond the values that it is of.
  const mean = Math.min(Math.max(row.mean ?? 0, min), max)
  return {
    step: row.firstStep,
    lastStep: row.lastStep,
    min,
    max,
    mean,
    last: row.lastValue ?? mean,
    count: row.count,
    nonFiniteCount: row.nonFiniteCount,
  }
}

/** The width of the ranges that a chart with buckets of `width` steps reads, and the level that has them. */
function levelFor(width: number, finest: number | null): { level: number | null; steps: number } {
  for (let level = TOP_LEVEL; finest !== null && level >= finest; level--) {
    if (2 * 4 ** level <= width) return { level, steps: 4 ** level }
  }
  return { level: null, steps: 1 }
}

/**
 * The steps from `minStep` to `maxStep` as ranges of a level, and what they leave over at both ends as ranges
 * of finer levels and, finally, points.
 */
function toSegments(
  minStep: number,
  maxStep: number,
  level: number | null,
  finest: number | null,
): SeriesSegment[] {
  if (level === null || finest === null) return [{ level: null, firstStep: minStep, lastStep: maxStep }]
  const segments: SeriesSegment[] = []
  let [from, to] = [minStep, maxStep + 1]
  const take = (at: number | null, start: number, end: number) => {
    if (start >= end) return
    if (at === null) segments.push({ level: null, firstStep: start, lastStep: end - 1 })
    else segments.push({ level: at, firstRange: rangeOf(start, at), lastRange: rangeOf(end - 1, at) })
  }
  for (let next = finest; next <= level; next++) {
    const steps = 4 ** next
    const start = Math.min(Math.ceil(from / steps) * steps, to)
    const end = Math.max(Math.floor(to / steps) * steps, start)
    take(next === finest ? null : next - 1, from, start)
    take(next === finest ? null : next - 1, end, to)
    ;[from, to] = [start, end]
  }
  take(level, from, to)
  return segments
}
