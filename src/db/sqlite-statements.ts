import { sqliteMetricStatements } from './sqlite-metric-statements.ts'
import { readRows } from './sqlite-rows.ts'
import type { Connection, LogLineRow, LogLineSelection, Statements } from './statements.ts'

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

  ...sqliteMetricStatements,
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
