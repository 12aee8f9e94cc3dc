import type { Database } from '../db/database.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { type LogFilter, type LogLine, selectLogLines, toLogLine } from './log-lines.ts'
import type { SharedStream } from './shared-reads.ts'

/** Lines that arrived together, and the cursor after the last of them. */
export interface LogBatch {
  lines: LogLine[]
  cursor: string
}

/** The most lines or points in one message. */
export const BATCH_SIZE = 1000
/** How much of the logs, and of the metrics, that were read last is kept for other watchers, in bytes. */
export const KEPT_BYTES = 16 * 1024 * 1024
/** No line is added to a message whose lines have this many bytes already: a slow reader holds one message. */
const BATCH_BYTES = 128 * 1024
/** About what a line or point takes in memory besides its text, in bytes. */
const ROW_BYTES = 300

/** How far a stream has come. */
export interface Progress {
  /** Whether nothing can follow any more. */
  over: boolean
  lastSeq: number
}

/** What is read of a stored stream. */
interface BatchOptions {
  streamId: number
  /** Notified when there is more, or the stream is over. */
  topic: string
  /** Asked before the rows are read, so that whatever was stored before it was over is seen by the read after it. */
  progress(): Promise<Progress>
}

/** The rows of a stored stream in batches, until it is over. Who selects the same reads the same. */
export function batchesOf<Row extends { seq: number }, Batch>(
  options: BatchOptions & {
    selection: object
    read: (after: number) => Promise<Row[]>
    deliver: (rows: Row[], cursor: string) => Batch
    textOf: (row: Row) => string
  },
): SharedStream<Batch, number> {
  const { streamId, topic, selection, textOf } = options
  return {
    key: `${streamId} ${JSON.stringify(selection)}`,
    topic,
    async read(after) {
      const { over, lastSeq } = await options.progress()
      const rows = await options.read(after)
      const last = rows.at(-1)
      // Where nothing matches, everything up to lastSeq was looked at.
      const position = last?.seq ?? Math.max(after, lastSeq)
      return {
        item: last ? options.deliver(rows, encodeCursor(streamId, position)) : null,
        position,
        more: position < lastSeq,
        ended: over,
        bytes: rows.reduce((sum, row) => sum + textOf(row).length + ROW_BYTES, 0),
      }
    },
  }
}

/** The lines of a log that match a filter, in batches. */
export function logBatches(
  { prisma, sql }: Database,
  { filter, ...options }: BatchOptions & { filter: LogFilter | null | undefined },
): SharedStream<LogBatch, number> {
  const { streamId } = options
  const selection = selectLogLines(streamId, filter)
  const limit = { lines: BATCH_SIZE, bytes: BATCH_BYTES }
  return batchesOf({
    ...options,
    selection,
    read: (after) => sql.readLogBatch(prisma, { ...selection, after }, limit),
    deliver: (rows, cursor): LogBatch => ({ lines: rows.map((row) => toLogLine(streamId, row)), cursor }),
    textOf: (row) => row.message,
  })
}

/** Where a reader begins who gives a cursor, or none. @throws ValidationError for a cursor of another stream */
export function positionOf(after: string | null | undefined, streamId: number): number {
  return after == null ? 0 : decodeCursor(after, streamId)
}
