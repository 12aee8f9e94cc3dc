import { fixedWidth, readRows } from './sqlite-rows.ts'
import type {
  Connection,
  LogLineRow,
  LogLineSelection,
  LogLineStatements,
  NewLogLineRow,
} from './statements.ts'

/** Level, source, partial and timestamp, as wide as that of the earliest date that there is; the message follows. */
const LINE = fixedWidth([1, 1, 1, 17])

/** Runs a statement in the transaction that is open, past Prisma. */
export type ExecuteInTransaction = (sql: string, values: (string | number)[]) => Promise<unknown>

/** The hand-written statements of log lines for SQLite. */
export function createSqliteLogLineStatements(executeInTransaction: ExecuteInTransaction): LogLineStatements {
  return {
    async insertLogLines(streamId, firstSeq, rows) {
      await executeInTransaction(
        `INSERT INTO "LogLine" ("streamId", "seq", "level", "source", "partial", "timestamp", "message")
         SELECT CAST(? AS INTEGER), CAST(? AS INTEGER) + key, ${LINE.columns} FROM json_each(?)`,
        [streamId, firstSeq, JSON.stringify(toTexts(rows))],
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
  }
}

/** Rows as texts; neighbours mostly differ in nothing but their message. */
function toTexts(rows: NewLogLineRow[]): string[] {
  let last: NewLogLineRow | null = null
  let head = ''
  return rows.map((row) => {
    const { timestamp, level, source, partial, message } = row
    if (
      timestamp !== last?.timestamp ||
      level !== last.level ||
      source !== last.source ||
      partial !== last.partial
    ) {
      head = LINE.toText([level, source, partial, timestamp])
      last = row
    }
    return head + message
  })
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
