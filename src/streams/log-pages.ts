import type { Database } from '../db/database.ts'
import { ValidationError } from '../errors.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { type LogFilter, type LogLine, selectLogLines, toLogLine } from './log-lines.ts'

/** Which page of a log: the first lines after a cursor, or the last before one. */
export interface LogPageArgs {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
  filter?: LogFilter | null
}

/** A page of a log as a Relay connection; its cursors are those of the live stream too. */
export interface LogPage {
  edges: { cursor: string; node: LogLine }[]
  pageInfo: {
    hasNextPage: boolean
    hasPreviousPage: boolean
    startCursor: string | null
    endCursor: string | null
  }
  /** Counted once, however often it is asked for. */
  totalCount: () => Promise<number>
}

const DEFAULT_SIZE = 25

/** Reads a page of a stream of log lines. @throws ValidationError for a cursor of another stream, or first and last together */
export async function readLogPage(database: Database, streamId: number, args: LogPageArgs): Promise<LogPage> {
  if (args.first != null && args.last != null) throw ValidationError.at('last', 'Give either first or last.')
  const fromEnd = args.last != null
  const size = args.last ?? args.first ?? DEFAULT_SIZE
  const selection = {
    ...selectLogLines(streamId, args.filter),
    after: args.after == null ? undefined : decodeCursor(args.after, streamId),
    before: args.before == null ? undefined : decodeCursor(args.before, streamId, 'before'),
  }
  const rows = await database.sql.readLogLines(
    database.prisma,
    selection,
    size + 1,
    fromEnd ? 'end' : 'start',
  )
  const more = rows.length > size
  const page = fromEnd ? rows.slice(-size) : rows.slice(0, size)
  const edges = page.map((row) => ({
    cursor: encodeCursor(streamId, row.seq),
    node: toLogLine(streamId, row),
  }))
  let count: Promise<number> | null = null
  return {
    edges,
    pageInfo: {
      hasNextPage: fromEnd ? args.before != null : more,
      hasPreviousPage: fromEnd ? more : args.after != null,
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    totalCount() {
      count ??= database.sql.countLogLines(database.prisma, selectLogLines(streamId, args.filter))
      return count
    },
  }
}
