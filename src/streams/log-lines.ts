import type { Database, Transaction } from '../db/database.ts'
import type { LogLineRow, LogLineSelection } from '../db/statements.ts'
import { searchText } from '../search-text.ts'

/** Levels in ascending order; stored as the position. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Where a line came from; SYSTEM lines are Trainyard's own. Stored as the position. */
export const LOG_SOURCES = ['STDOUT', 'STDERR', 'SYSTEM'] as const
export type LogSource = (typeof LOG_SOURCES)[number]

/** The longest text that a log can be searched for: what it takes grows with its length, and logs are long. */
const MAX_SEARCH_LENGTH = 100

/** A line that is to be stored. */
export interface NewLogLine {
  timestamp: Date
  level: LogLevel
  source: LogSource
  message: string
  /** The line goes on in the next one: it was too long for one. */
  partial?: boolean
}

/** A stored line. `seq` counts from 1 within its stream. */
export interface LogLine extends Required<NewLogLine> {
  streamId: number
  seq: number
}

/** Which lines a reader wants; unset parts do not restrict. */
export interface LogFilter {
  minLevel?: LogLevel | null
  source?: LogSource | null
  search?: string | null
  since?: Date | null
  until?: Date | null
}

/** Appends lines to a stream, giving them the next numbers. */
export async function appendLogLines(
  database: Database,
  tx: Transaction,
  streamId: number,
  lines: NewLogLine[],
): Promise<void> {
  if (lines.length === 0) return
  const first = await takeNumbers(tx, streamId, lines.length)
  const rows = lines.map((line) => ({
    timestamp: line.timestamp.getTime(),
    level: LOG_LEVELS.indexOf(line.level),
    source: LOG_SOURCES.indexOf(line.source),
    partial: line.partial ? 1 : 0,
    message: line.message,
  }))
  await database.sql.insertLogLines(streamId, first, rows)
}

/** Takes `count` numbers of a stream's sequence, and returns the first. */
export async function takeNumbers(tx: Transaction, streamId: number, count: number): Promise<number> {
  const { lastSeq } = await tx.stream.update({
    where: { id: streamId },
    data: { lastSeq: { increment: count } },
    select: { lastSeq: true },
  })
  return lastSeq - count + 1
}

/** What a filter selects of a stream. @throws ValidationError when the text to search for is too long */
export function selectLogLines(streamId: number, filter: LogFilter | null | undefined): LogLineSelection {
  return {
    streamId,
    minLevel: filter?.minLevel ? LOG_LEVELS.indexOf(filter.minLevel) : undefined,
    source: filter?.source ? LOG_SOURCES.indexOf(filter.source) : undefined,
    search: filter?.search ? searchText(filter.search, MAX_SEARCH_LENGTH) : undefined,
    since: filter?.since?.getTime(),
    until: filter?.until?.getTime(),
  }
}

/** A stored row as the line it stands for. */
export function toLogLine(streamId: number, row: LogLineRow): LogLine {
  return {
    streamId,
    seq: row.seq,
    timestamp: new Date(row.timestamp),
    level: LOG_LEVELS[row.level] ?? 'INFO',
    source: LOG_SOURCES[row.source] ?? 'SYSTEM',
    partial: row.partial === 1,
    message: row.message,
  }
}
