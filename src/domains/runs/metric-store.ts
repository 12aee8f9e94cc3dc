import type { Database, Transaction } from '../../db/database.ts'
import type { LatestMetricRow, MetricPointRow, SeriesGrowth } from '../../db/statements.ts'
import type { MetricSeries as StoredSeries } from '../../generated/prisma/client.ts'
import { takeNumbers } from '../../streams/log-lines.ts'
import { type GrownSeries, keepRollUps } from './metric-roll-ups.ts'

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

/** The parts of a run that its metrics hang on. */
interface RunOfMetrics {
  id: string
  metricStreamId: number
}

/**
 * Stores points and keeps the latest value of each key: the one of the highest step, the last to arrive
 * among equals. A point that is there already (same key, step and value) is left out, so that a report
 * can safely be sent again.
 *
 * @returns how many were stored
 */
export async function appendMetrics(
  database: Database,
  tx: Transaction,
  run: RunOfMetrics,
  points: MetricPoint[],
): Promise<number> {
  if (points.length === 0) return 0
  const series = await seriesOf(tx, run.id, points)
  const first = await takeNumbers(tx, run.metricStreamId, points.length)
  const rows = points.map((point): MetricPointRow => {
    const { value, nonFinite } = toColumns(point.value)
    const timestamp = point.timestamp.getTime()
    return { seriesId: idOf(series, point.key), step: point.step, value, nonFinite, timestamp }
  })
  const stored = await database.sql.insertMetricPoints(tx, run.metricStreamId, first, rows)
  const added = stored === rows.length ? rows : await onlyStored()
  const addedOf = Map.groupBy(added, (row) => row.seriesId)
  const grown = [...series.values()].flatMap((one) => {
    const rows = addedOf.get(one.id)
    return rows ? [{ ...one, added: rows }] : []
  })
  if (grown.length === 0) return 0
  await database.sql.growSeries(tx, grown.map(growthOf))
  await keepRollUps(database, tx, grown)
  return added.length

  /** The rows that were not there before. */
  async function onlyStored() {
    const stored = new Set(await database.sql.readPointNumbers(tx, run.metricStreamId, first))
    return rows.filter((_, index) => stored.has(first + index))
  }
}

function growthOf({ id, lastStep, added }: GrownSeries & { lastStep: number }): SeriesGrowth {
  const last = added.reduce((last, row) => (row.step >= last.step ? row : last))
  const { step, value, nonFinite, timestamp } = last
  return { seriesId: id, count: added.length, step, value, nonFinite, timestamp, isLast: step >= lastStep }
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

/** The latest value of a series, for clients. */
export function latestOf({ key, step, value, nonFinite, timestamp }: LatestMetricRow): DeliveredPoint {
  return { key, step, timestamp: new Date(timestamp), ...toStoredValue(value, nonFinite) }
}

/** The series of a run as they are before points are added. */
type SeriesByKey = Map<string, Pick<StoredSeries, 'id' | 'pointCount' | 'lastStep' | 'rollUpLevel'>>

async function seriesOf(tx: Transaction, runId: string, points: MetricPoint[]): Promise<SeriesByKey> {
  const firstOfKey = new Map<string, MetricPoint>()
  for (const point of points) if (!firstOfKey.has(point.key)) firstOfKey.set(point.key, point)
  const keys = [...firstOfKey.keys()]
  const read = () =>
    tx.metricSeries.findMany({
      where: { runId, key: { in: keys } },
      select: { id: true, key: true, pointCount: true, lastStep: true, rollUpLevel: true },
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
