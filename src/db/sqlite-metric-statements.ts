import { allDigits, exactly, fixedWidth, readRows, toNumber } from './sqlite-rows.ts'
import type {
  BucketSelection,
  KeyedPointRow,
  LatestMetricRow,
  PointSummary,
  SeriesSegment,
  Statements,
} from './statements.ts'

type MetricStatements = Pick<
  Statements,
  | 'insertMetricPoints'
  | 'readPointNumbers'
  | 'growSeries'
  | 'addToRollUps'
  | 'buildRollUps'
  | 'countRanges'
  | 'readLatestMetrics'
  | 'readMetricPoints'
  | 'readStepRange'
  | 'readBuckets'
>

/** The hand-written statements of metrics for SQLite. */
export const sqliteMetricStatements: MetricStatements = {
  insertMetricPoints: (on, streamId, firstSeq, rows) =>
    on.$executeRawUnsafe(
      `INSERT INTO "MetricPoint" ("streamId", "seq", "seriesId", "step", "nonFinite", "timestamp", "value")
       SELECT ?, ? + key, ${POINT.columns} FROM json_each(?) WHERE true
       ON CONFLICT ("seriesId", "step", "value", "nonFinite") DO NOTHING`,
      streamId,
      firstSeq,
      JSON.stringify(
        rows.map((row) =>
          POINT.toText([row.seriesId, row.step, row.nonFinite, row.timestamp, allDigits(row.value)]),
        ),
      ),
    ),

  async readPointNumbers(on, streamId, seq) {
    const rows = await readRows<[number]>(
      on,
      'SELECT "seq" FROM "MetricPoint" WHERE "streamId" = ? AND "seq" >= ?',
      ['seq'],
      [streamId, seq],
    )
    return rows.map(([number]) => number)
  },

  async growSeries(on, rows) {
    await on.$executeRawUnsafe(
      `UPDATE "MetricSeries" SET
         "pointCount" = "pointCount" + (v.value->>1),
         "lastStep" = iif(v.value->>6, v.value->>2, "lastStep"),
         "lastValue" = iif(v.value->>6, v.value->>3, "lastValue"),
         "lastNonFinite" = iif(v.value->>6, v.value->>4, "lastNonFinite"),
         "lastTimestamp" = iif(v.value->>6, v.value->>5, "lastTimestamp")
       FROM json_each(?) AS v WHERE "MetricSeries"."id" = v.value->>0`,
      JSON.stringify(
        rows.map((row) => [
          row.seriesId,
          row.count,
          row.step,
          allDigits(row.value),
          row.nonFinite,
          row.timestamp,
          row.isLast ? 1 : 0,
        ]),
      ),
    )
  },

  async addToRollUps(on, rows) {
    const finite = (row: string) => `(${row}."count" - ${row}."nonFiniteCount")`
    const there = '"MetricRollUp"'
    await on.$executeRawUnsafe(
      `INSERT INTO "MetricRollUp" ("seriesId", "level", "range", "firstStep", "lastStep", "count",
         "nonFiniteCount", "min", "max", "mean", "lastValue")
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
         CAST(value->>7 AS REAL), CAST(value->>8 AS REAL), CAST(value->>9 AS REAL), CAST(value->>10 AS REAL)
       FROM json_each(?) WHERE true
       ON CONFLICT ("seriesId", "level", "range") DO UPDATE SET
         "firstStep" = min("firstStep", excluded."firstStep"),
         "lastStep" = max("lastStep", excluded."lastStep"),
         "min" = coalesce(min("min", excluded."min"), "min", excluded."min"),
         "max" = coalesce(max("max", excluded."max"), "max", excluded."max"),
         "mean" = coalesce(
           "mean" * (1.0 * ${finite(there)} / (${finite(there)} + ${finite('excluded')}))
             + excluded."mean" * (1.0 * ${finite('excluded')} / (${finite(there)} + ${finite('excluded')})),
           "mean", excluded."mean"),
         "lastValue" = CASE
           WHEN excluded."lastStep" > "lastStep" THEN excluded."lastValue"
           WHEN excluded."lastStep" = "lastStep" THEN coalesce(excluded."lastValue", "lastValue")
           ELSE "lastValue" END,
         "count" = "count" + excluded."count",
         "nonFiniteCount" = "nonFiniteCount" + excluded."nonFiniteCount"`,
      JSON.stringify(
        rows.map((row) => [
          row.seriesId,
          row.level,
          row.range,
          row.firstStep,
          row.lastStep,
          row.count,
          row.nonFiniteCount,
          ...[row.min, row.max, row.mean, row.lastValue].map((value) =>
            value === null ? null : allDigits(value),
          ),
        ]),
      ),
    )
  },

  async buildRollUps(on, seriesId, level, from) {
    const segment: SeriesSegment =
      from === null
        ? { level: null, firstStep: MIN_INT, lastStep: MAX_INT }
        : { level: from, firstRange: MIN_INT, lastRange: MAX_INT }
    const width = 4 ** level
    const buckets = bucketsOf(seriesId, { segments: [segment], origin: MIN_INT, width, rollUpLevel: from })
    await on.$executeRawUnsafe(
      `INSERT INTO "MetricRollUp" ("seriesId", "level", "range", "firstStep", "lastStep", "min", "max", "mean",
         "lastValue", "count", "nonFiniteCount")
       SELECT ?, ?, "firstStep" >> CAST(? AS INTEGER), "firstStep", "lastStep", "min", "max", "mean",
         "lastValue", "count", "nonFiniteCount" FROM (${buckets.sql})`,
      seriesId,
      level,
      2 * level,
      ...buckets.values,
    )
  },

  async countRanges(on, seriesId, level) {
    const [row] = await on.$queryRawUnsafe<{ count: bigint }[]>(
      `SELECT COUNT(*) AS "count" FROM (
         SELECT DISTINCT "step" >> CAST(? AS INTEGER) FROM "MetricPoint" WHERE "seriesId" = ?)`,
      2 * level,
      seriesId,
    )
    return Number(row?.count ?? 0)
  },

  async readLatestMetrics(on, runIds) {
    const rows = await readRows<[string, string, number, string, number, number]>(
      on,
      `SELECT "runId", "key", "lastStep", ${exactly('"lastValue"')} AS "lastValue", "lastNonFinite", "lastTimestamp"
       FROM "MetricSeries" WHERE "runId" IN (SELECT value FROM json_each(?)) ORDER BY "runId", "key"`,
      ['runId', 'key', 'lastStep', 'lastValue', 'lastNonFinite', 'lastTimestamp'],
      [JSON.stringify(runIds)],
    )
    return rows.map(([runId, key, step, value, nonFinite, timestamp]): LatestMetricRow => {
      return { runId, key, step, value: Number(value), nonFinite, timestamp }
    })
  },

  async readMetricPoints(on, { streamId, after, keys }, limit) {
    const rows = await readRows<[string, number, string, number, number, number]>(
      on,
      `SELECT s."key", p."step", ${exactly('p."value"')} AS "value", p."nonFinite", p."seq", p."timestamp"
       FROM "MetricPoint" p JOIN "MetricSeries" s ON s."id" = p."seriesId"
       WHERE p."streamId" = ? AND p."seq" > ?
         ${keys ? 'AND s."key" IN (SELECT value FROM json_each(?))' : ''}
       ORDER BY p."seq" LIMIT ?`,
      ['key', 'step', 'value', 'nonFinite', 'seq', 'timestamp'],
      [streamId, after, ...(keys ? [JSON.stringify(keys)] : []), limit],
    )
    return rows.map(([key, step, value, nonFinite, seq, timestamp]): KeyedPointRow => {
      return { key, step, value: Number(value), nonFinite, seq, timestamp }
    })
  },

  async readStepRange(on, seriesId, minStep, maxStep) {
    const end = (order: 'ASC' | 'DESC') =>
      `(SELECT "step" FROM "MetricPoint" WHERE "seriesId" = ? AND "step" BETWEEN ? AND ?
        ORDER BY "step" ${order} LIMIT 1)`
    const bounds = [seriesId, minStep, maxStep]
    const [row] = await readRows<[number | null, number | null]>(
      on,
      `SELECT ${end('ASC')} AS "first", ${end('DESC')} AS "last"`,
      ['first', 'last'],
      [...bounds, ...bounds],
    )
    if (!row || row[0] === null || row[1] === null) return null
    return { first: row[0], last: row[1] }
  },

  async readBuckets(on, seriesId, selection) {
    const buckets = bucketsOf(seriesId, selection)
    const rows = await readRows<
      [number, number, string | null, string | null, string | null, string | null, number, number]
    >(
      on,
      `SELECT "firstStep", "lastStep", ${exactly('"min"')} AS "min", ${exactly('"max"')} AS "max",
         ${exactly('"mean"')} AS "mean", ${exactly('"lastValue"')} AS "lastValue", "count", "nonFiniteCount"
       FROM (${buckets.sql}) ORDER BY "firstStep"`,
      ['firstStep', 'lastStep', 'min', 'max', 'mean', 'lastValue', 'count', 'nonFiniteCount'],
      buckets.values,
    )
    return rows.map(
      ([firstStep, lastStep, min, max, mean, lastValue, count, nonFiniteCount]): PointSummary => {
        return {
          firstStep,
          lastStep,
          min: toNumber(min),
          max: toNumber(max),
          mean: toNumber(mean),
          lastValue: toNumber(lastValue),
          count,
          nonFiniteCount,
        }
      },
    )
  },
}

/** Series, step, what is not finite and timestamp, each as wide as it can get; and the value. */
const POINT = fixedWidth([10, 11, 1, 17])

const MIN_INT = -(2 ** 31)
const MAX_INT = 2 ** 31 - 1

/**
 * The SELECT of a series in buckets. Sums are of 2^-32 of the values, which loses no digit and lets four
 * thousand million of the largest numbers be added. What the last step holds is in the finest roll-up of
 * it, unless the selection ends amid that one: then, as without roll-ups, in the points.
 */
function bucketsOf(seriesId: number, { segments, origin, width, rollUpLevel }: BucketSelection) {
  // The driver binds every number as a REAL, by which a division keeps its fraction.
  const sql = `
    WITH "part" AS (
      SELECT p."step" AS "firstStep", p."step" AS "lastStep", iif(p."nonFinite" = 0, p."value", NULL) AS "min",
        iif(p."nonFinite" = 0, p."value", NULL) AS "max", iif(p."nonFinite" = 0, p."value", NULL) AS "mean",
        1 AS "count", p."nonFinite" <> 0 AS "nonFiniteCount"
      FROM json_each(?) s CROSS JOIN "MetricPoint" p
        ON p."seriesId" = ? AND p."step" BETWEEN s.value->>1 AND s.value->>2
      WHERE s.value->>0 IS NULL
      UNION ALL
      SELECT r."firstStep", r."lastStep", r."min", r."max", r."mean", r."count", r."nonFiniteCount"
      FROM json_each(?) s CROSS JOIN "MetricRollUp" r
        ON r."seriesId" = ? AND r."level" = s.value->>0 AND r."range" BETWEEN s.value->>1 AND s.value->>2
    ), "bucket" AS (
      SELECT MIN("firstStep") AS "firstStep", MAX("lastStep") AS "lastStep", MIN("min") AS "min",
        MAX("max") AS "max", SUM("mean" / 4294967296.0 * ("count" - "nonFiniteCount"))
          / SUM("count" - "nonFiniteCount") * 4294967296.0 AS "mean",
        SUM("count") AS "count", SUM("nonFiniteCount") AS "nonFiniteCount"
      FROM "part" GROUP BY ("firstStep" - CAST(? AS INTEGER)) / CAST(? AS INTEGER)
    )
    SELECT b.*, CASE WHEN r."range" IS NOT NULL THEN r."lastValue" ELSE (
        SELECT p."value" FROM "MetricPoint" p
        WHERE p."seriesId" = ? AND p."step" = b."lastStep" AND p."nonFinite" = 0 ORDER BY p."seq" DESC LIMIT 1
      ) END AS "lastValue"
    FROM "bucket" b LEFT JOIN "MetricRollUp" r ON r."seriesId" = ? AND r."level" = CAST(? AS INTEGER)
      AND r."range" = b."lastStep" >> CAST(? AS INTEGER) AND r."lastStep" = b."lastStep"`
  const pieces = JSON.stringify(
    segments.map((piece) =>
      piece.level === null
        ? [null, piece.firstStep, piece.lastStep]
        : [piece.level, piece.firstRange, piece.lastRange],
    ),
  )
  const level = rollUpLevel ?? -1
  return {
    sql,
    values: [
      pieces,
      seriesId,
      pieces,
      seriesId,
      origin,
      width,
      seriesId,
      seriesId,
      level,
      2 * Math.max(level, 0),
    ],
  }
}
