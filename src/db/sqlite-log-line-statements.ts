import type { PrismaClient } from '../generated/prisma/client.ts'
import { createTurns } from '../turns.ts'
import { boundsOf, isFiltered, lookInSlices } from './sqlite-log-slices.ts'
import { fixedWidth, readRows } from './sqlite-rows.ts'
import type { LogLineRow, LogLineSelection, LogLineStatements, NewLogLineRow } from './statements.ts'

/** Level, source, partial and timestamp, as wide as that of the earliest date that there is; the message follows. */
const LINE = fixedWidth([1, 1, 1, 17])

/** Runs a statement in the transaction that is open, past Prisma. */
export type ExecuteInTransaction = (sql: string, values: (string | number)[]) => Promise<unknown>

/** The hand-written statements of log lines for SQLite. */
export function createSqliteLogLineStatements(executeInTransaction: ExecuteInTransaction): LogLineStatements {
  const inTurn = createTurns()
  return {
    async insertLogLines(streamId, firstSeq, rows) {
      await executeInTransaction(
        `INSERT INTO "LogLine" ("streamId", "seq", "level", "source", "partial", "timestamp", "message")
         SELECT CAST(? AS INTEGER), CAST(? AS INTEGER) + key, ${LINE.columns} FROM json_each(?)`,
        [streamId, firstSeq, JSON.stringify(toTexts(rows))],
      )
    },

    async readLogLines(on, selection, limit, from) {
      const found: LogLineRow[] = []
      await look(on, selection, from, async (slice) => {
        found.push(...(await readLines(on, slice, limit - found.length, from)))
        return found.length < limit
      })
      return from === 'start' ? found : found.reverse()
    },

    async readLogBatch(on, selection, limit) {
      const found: LogLineRow[] = []
      await look(on, selection, 'start', async (slice) => {
        const bytes = found.reduce((sum, { message }) => sum + Buffer.byteLength(message), 0)
        if (bytes >= limit.bytes) return false
        const rest = { lines: limit.lines - found.length, bytes: limit.bytes - bytes }
        found.push(...(await readBatch(on, slice, rest)))
        return found.length < limit.lines
      })
      return found
    },

    async countLogLines(on, selection) {
      if (!isFiltered(selection)) {
        const { after, before } = await boundsOf(on, selection)
        return Math.max(before - after - 1, 0)
      }
      let count = 0
      await look(on, selection, 'start', async (slice) => {
        count += await countLines(on, slice)
        return true
      })
      return count
    },
  }

  /** Looks at a selection at once where the numbers of its lines are all there is to know. */
  async function look(
    on: PrismaClient,
    selection: LogLineSelection,
    from: 'start' | 'end',
    read: (slice: LogLineSelection) => Promise<boolean>,
  ): Promise<void> {
    if (isFiltered(selection)) await lookInSlices(on, selection, from, inTurn, read)
    else await read(selection)
  }
}

/** The first lines of a selection in ascending order, or the last ones in descending order. */
function readLines(on: PrismaClient, selection: LogLineSelection, limit: number, from: 'start' | 'end') {
  const { where, values } = logLineConditions(selection)
  return readLogRows(
    on,
    `SELECT ${LOG_COLUMNS} FROM "LogLine" WHERE ${where}
     ORDER BY "seq" ${from === 'start' ? 'ASC' : 'DESC'} LIMIT ?`,
    [...values, limit],
  )
}

function readBatch(
  on: PrismaClient,
  selection: LogLineSelection,
  limit: { lines: number; bytes: number },
): Promise<LogLineRow[]> {
  const { where, values } = logLineConditions(selection)
  return readLogRows(
    on,
    `SELECT ${LOG_COLUMNS} FROM (
       SELECT *, SUM(octet_length("message")) OVER (ORDER BY "seq") - octet_length("message") AS "before"
       FROM (SELECT ${LOG_COLUMNS} FROM "LogLine" WHERE ${where} ORDER BY "seq" LIMIT ?)
     ) WHERE "before" < ? ORDER BY "seq"`,
    [...values, limit.lines, limit.bytes],
  )
}

async function countLines(on: PrismaClient, selection: LogLineSelection): Promise<number> {
  const { where, values } = logLineConditions(selection)
  const [row] = await on.$queryRawUnsafe<{ count: bigint }[]>(
    `SELECT COUNT(*) AS "count" FROM "LogLine" WHERE ${where}`,
    ...values,
  )
  return Number(row?.count ?? 0)
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
  on: PrismaClient,
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
    // LIKE would take the length of the text times that of the pattern.
    ['instr(lower("message"), lower(?))', selection.search],
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
