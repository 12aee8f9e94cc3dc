import type {
  Connection,
  KeyedPointRow,
  LogLineRow,
  LogLineSelection,
  SeriesGrowth,
  Statements,
} from './statements.ts'

/**
 * The hand-written statements for SQLite. Rows travel as one JSON text in each direction: json_each and
 * json_group_array cost a tenth of binding or mapping every value.
 */
export const sqliteStatements: Statements = {
  async insertLogLines(on, streamId, rows) {
    await on.$executeRawUnsafe(
      `INSERT INTO "LogLine" ("streamId", "seq", "timestamp", "level", "source", "partial", "message")
       SELECT ?, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?)`,
      streamId,
      JSON.stringify(
        rows.map((row) => [row.seq, row.timestamp, row.level, row.source, row.partial, row.message]),
      ),
    )
  },

  async readLogLines(on, selection, limit, from) {
    const { where, values } = logLineConditions(selection)
    const lines = await readLogRows(
      on,
      `SELECT ${LOG_COLUMNS} FROM "LogLine" WHERE ${where}
       ORDER BY "seq" ${from === 'start' ? 'ASC' : 'DESC'} LIMIT ?`,
      [...values, limit],
    )
    return from === 'start' ? lines : lines.reverse()
  },

  readLogBatch(on, selection, limit) {
    const { where, values } = logLineConditions(selection)
    return readLogRows(
      on,
      `SELECT ${LOG_COLUMNS} FROM (
         SELECT *, SUM(octet_length("message")) OVER (ORDER BY "seq") - octet_length("message") AS "before"
         FROM (SELECT ${LOG_COLUMNS} FROM "LogLine" WHERE ${where} ORDER BY "seq" LIMIT ?)
       ) WHERE "before" < ? ORDER BY "seq"`,
      [...values, limit.lines, limit.bytes],
    )
  },

  async countLogLines(on, selection) {
    const { where, values } = logLineConditions(selection)
    const [row] = await on.$queryRawUnsafe<{ count: bigint }[]>(
      `SELECT COUNT(*) AS "count" FROM "LogLine" WHERE ${where}`,
      ...values,
    )
    return Number(row?.count ?? 0)
  },

  async insertMetricPoints(on, streamId, rows) {
    await on.$executeRawUnsafe(
      `INSERT INTO "MetricPoint" ("streamId", "seriesId", "step", "value", "nonFinite", "seq", "timestamp")
       SELECT ?, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?) WHERE true
       ON CONFLICT ("seriesId", "step", "value", "nonFinite") DO NOTHING`,
      streamId,
      JSON.stringify(
        rows.map((row) => [
          row.seriesId,
          row.step,
          allDigits(row.value),
          row.nonFinite,
          row.seq,
          row.timestamp,
        ]),
      ),
    )
  },

  async readSeriesGrowth(on, streamId, seq) {
    const rows = await readRows<[number, number, number, string, number, number]>(
      on,
      `SELECT "seriesId", "count", "step", ${exactly('"value"')} AS "value", "nonFinite", "timestamp" FROM (
         SELECT "seriesId", "step", "value", "nonFinite", "timestamp",
                COUNT(*) OVER (PARTITION BY "seriesId") AS "count",
                ROW_NUMBER() OVER (PARTITION BY "seriesId" ORDER BY "step" DESC, "seq" DESC) AS "place"
         FROM "MetricPoint" WHERE "streamId" = ? AND "seq" > ?
       ) WHERE "place" = 1`,
      ['seriesId', 'count', 'step', 'value', 'nonFinite', 'timestamp'],
      [streamId, seq],
    )
    return rows.map(([seriesId, count, step, value, nonFinite, timestamp]): SeriesGrowth => {
      return { seriesId, count, step, value: Number(value), nonFinite, timestamp }
    })
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
    const [row] = await readRows<[number | null, number | null, number]>(
      on,
      `SELECT MIN("step") AS "first", MAX("step") AS "last", COUNT(*) AS "count" FROM "MetricPoint"
       WHERE "seriesId" = ? AND "step" BETWEEN ? AND ?`,
      ['first', 'last', 'count'],
      [seriesId, minStep, maxStep],
    )
    if (!row || row[0] === null || row[1] === null) return null
    return { first: row[0], last: row[1], count: row[2] }
  },

  async readBuckets(on, seriesId, { first, last, width }) {
    // The driver binds every number as a REAL, by which a division keeps its fraction.
    const rows = await readRows<
      [number, number, string | null, string | null, string | null, number, number]
    >(
      on,
      `SELECT MIN("step") AS "firstStep", MAX("step") AS "lastStep",
              ${exactly('MIN("value") FILTER (WHERE "nonFinite" = 0)')} AS "min",
              ${exactly('MAX("value") FILTER (WHERE "nonFinite" = 0)')} AS "max",
              ${exactly('AVG("value") FILTER (WHERE "nonFinite" = 0)')} AS "mean",
              COUNT(*) AS "count", COUNT(*) FILTER (WHERE "nonFinite" <> 0) AS "nonFiniteCount"
       FROM "MetricPoint" WHERE "seriesId" = ? AND "step" BETWEEN ? AND ?
       GROUP BY ("step" - CAST(? AS INTEGER)) / CAST(? AS INTEGER) ORDER BY 1`,
      ['firstStep', 'lastStep', 'min', 'max', 'mean', 'count', 'nonFiniteCount'],
      [seriesId, first, last, first, width],
    )
    return rows.map(([firstStep, lastStep, min, max, mean, count, nonFiniteCount]) => {
      return {
        firstStep,
        lastStep,
        min: toNumber(min),
        max: toNumber(max),
        mean: toNumber(mean),
        count,
        nonFiniteCount,
      }
    })
  },

  async readLastValues(on, seriesId, steps) {
    const rows = await readRows<[number, string]>(
      on,
      `SELECT "step", ${exactly('"value"')} AS "value" FROM "MetricPoint"
       WHERE "seriesId" = ? AND "nonFinite" = 0 AND "step" IN (SELECT value FROM json_each(?))
       ORDER BY "seq"`,
      ['step', 'value'],
      [seriesId, JSON.stringify(steps)],
    )
    return new Map(rows.map(([step, value]) => [step, Number(value)]))
  },
}

/** A number as text with all of its digits: SQLite writes the numbers in its JSON with 15, which loses some. */
function exactly(expression: string): string {
  return `CASE WHEN ${expression} IS NOT NULL THEN printf('%!.17g', ${expression}) END`
}

/**
 * A number as text that SQLite reads back as exactly that number when it goes into a REAL column; the
 * shortest text, as in JSON, it sometimes takes for the neighbour.
 */
function allDigits(value: number): string {
  return value.toPrecision(17)
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text)
}

/** Runs a SELECT and gives its rows as arrays of the named columns, in its order. */
async function readRows<Row extends unknown[]>(
  on: Connection,
  select: string,
  columns: string[],
  values: (string | number)[],
): Promise<Row[]> {
  const names = columns.map((column) => `"${column}"`).join(', ')
  const [result] = await on.$queryRawUnsafe<{ rows: string }[]>(
    `SELECT json_group_array(json_array(${names})) AS "rows" FROM (${select})`,
    ...values,
  )
  return JSON.parse(result?.rows ?? '[]')
}

const LOG_COLUMNS = '"seq", "timestamp", "level", "source", "partial", "message"'

async function readLogRows(
  on: Connection,
  select: string,
  values: (string | number)[],
): Promise<LogLineRow[]> {
  const columns = ['seq', 'timestamp', 'level', 'source', 'partial', 'message']
  const rows = await readRows<[number, number, number, number, number, string]>(on, select, columns, values)
  return rows.map(([seq, timestamp, level, source, partial, message]) => {
    return { seq, timestamp, level, source, partial, message }
  })
}

function logLineConditions(selection: LogLineSelection): { where: string; values: (string | number)[] } {
  const conditions: [string, string | number | undefined][] = [
    ['"streamId" = ?', selection.streamId],
    ['"seq" > ?', selection.after],
    ['"seq" < ?', selection.before],
    ['"level" >= ?', selection.minLevel],
    ['"source" = ?', selection.source],
    ['"timestamp" >= ?', selection.since],
    ['"timestamp" <= ?', selection.until],
    [`"message" LIKE ? ESCAPE '\\'`, selection.search && `%${selection.search.replace(/[\\%_]/g, '\\$&')}%`],
  ]
  const where: string[] = []
  const values: (string | number)[] = []
  for (const [condition, value] of conditions) {
    if (value === undefined || value === '') continue
    where.push(condition)
    values.push(value)
  }
  return { where: where.join(' AND '), values }
}
