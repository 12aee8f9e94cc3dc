import type { Prisma, PrismaClient } from '../generated/prisma/client.ts'

/** What can run a statement: the client, or a transaction. */
export type Connection = PrismaClient | Prisma.TransactionClient

/** A row of LogLine; `timestamp` in epoch ms, `level` and `source` as the positions in their enums. */
export interface LogLineRow {
  seq: number
  timestamp: number
  level: number
  source: number
  partial: number
  message: string
}

/** What to read of a stream of log lines, in order of `seq`; unset parts do not restrict. */
export interface LogLineSelection {
  streamId: number
  /** Only above, and only below, these sequence numbers. */
  after?: number | undefined
  before?: number | undefined
  minLevel?: number | undefined
  source?: number | undefined
  /** Substring, without regard to case. */
  search?: string | undefined
  /** Epoch ms, both included. */
  since?: number | undefined
  until?: number | undefined
}

/** A row to insert into MetricPoint. */
export interface MetricPointRow {
  seriesId: number
  step: number
  value: number
  nonFinite: number
  seq: number
  timestamp: number
}

/** A point as it is read, with its key. */
export interface KeyedPointRow {
  key: string
  step: number
  value: number
  nonFinite: number
  seq: number
  timestamp: number
}

/** The newest of the points that one insert added to a series, and how many it added. */
export interface SeriesGrowth {
  seriesId: number
  count: number
  step: number
  value: number
  nonFinite: number
  timestamp: number
}

/** What a range of steps of a series comes to. `min`, `max` and `mean` are of the finite values, null without any. */
export interface BucketRow {
  firstStep: number
  lastStep: number
  min: number | null
  max: number | null
  mean: number | null
  count: number
  nonFiniteCount: number
}

/** The statements that Prisma cannot express or not fast enough; one implementation per database. */
export interface Statements {
  insertLogLines(on: Connection, streamId: number, rows: LogLineRow[]): Promise<void>
  /** The first `limit` lines of the selection, or the last ones (still in ascending order). */
  readLogLines(
    on: Connection,
    selection: LogLineSelection,
    limit: number,
    from: 'start' | 'end',
  ): Promise<LogLineRow[]>
  /**
   * The first lines of the selection, at most `limit.lines` of them, and no more once their messages have
   * `limit.bytes` together; at least one if there is any.
   */
  readLogBatch(
    on: Connection,
    selection: LogLineSelection,
    limit: { lines: number; bytes: number },
  ): Promise<LogLineRow[]>
  countLogLines(on: Connection, selection: LogLineSelection): Promise<number>
  /** Inserts points; one that is there already is left out. */
  insertMetricPoints(on: Connection, streamId: number, rows: MetricPointRow[]): Promise<void>
  /** What the points after `seq` of a stream did to their series. */
  readSeriesGrowth(on: Connection, streamId: number, seq: number): Promise<SeriesGrowth[]>
  growSeries(on: Connection, rows: (SeriesGrowth & { isLast: boolean })[]): Promise<void>
  readMetricPoints(
    on: Connection,
    selection: { streamId: number; after: number; keys?: string[] | undefined },
    limit: number,
  ): Promise<KeyedPointRow[]>
  /** The first and last step of a series within bounds; null when it has no point there. */
  readStepRange(
    on: Connection,
    seriesId: number,
    minStep: number,
    maxStep: number,
  ): Promise<{ first: number; last: number; count: number } | null>
  /** The points from `first` to `last` in buckets of `width` steps, counted from `first`; empty ones are left out. */
  readBuckets(
    on: Connection,
    seriesId: number,
    range: { first: number; last: number; width: number },
  ): Promise<BucketRow[]>
  /** For each of the steps, the finite value that arrived last. */
  readLastValues(on: Connection, seriesId: number, steps: number[]): Promise<Map<number, number>>
}
