import type { Prisma, PrismaClient } from '../generated/prisma/client.ts'

/** What can run a statement: the client, or a transaction. */
export type Connection = PrismaClient | Prisma.TransactionClient

/** A row to insert into LogLine; `timestamp` in epoch ms, `level` and `source` as the positions in their enums. */
export interface NewLogLineRow {
  timestamp: number
  level: number
  source: number
  partial: number
  message: string
}

/** A row of LogLine as it is read. */
export interface LogLineRow extends NewLogLineRow {
  seq: number
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

/** The newest of the points that were added to a series, and how many they are. */
export interface SeriesGrowth {
  seriesId: number
  count: number
  step: number
  value: number
  nonFinite: number
  timestamp: number
  /** Whether that point is now the latest of the series. */
  isLast: boolean
}

/** What the points of a range of steps come to. The values are of the finite ones, null without any. */
export interface PointSummary {
  firstStep: number
  lastStep: number
  min: number | null
  max: number | null
  mean: number | null
  /** Of lastStep; of several there, the last to arrive. */
  lastValue: number | null
  count: number
  nonFiniteCount: number
}

/** A row of MetricRollUp. */
export interface RollUpRow extends PointSummary {
  seriesId: number
  level: number
  range: number
}

/** The latest value of a series, with the run that it is of. */
export interface LatestMetricRow {
  runId: string
  key: string
  step: number
  value: number
  nonFinite: number
  timestamp: number
}

/** A piece of a series: the points themselves, or what they come to in the ranges of a level. */
export type SeriesSegment =
  | { level: null; firstStep: number; lastStep: number }
  | { level: number; firstRange: number; lastRange: number }

/** What to read of a series: its `segments`, which do not overlap, in buckets of `width` steps from `origin` on. */
export interface BucketSelection {
  segments: SeriesSegment[]
  origin: number
  width: number
  /** The finest level that the series is rolled up at; null without. */
  rollUpLevel: number | null
}

/**
 * The statements for log lines. What is read by a filter is read in turn with what others read so, therefore
 * never in a transaction, which nobody else can read beside.
 */
export interface LogLineStatements {
  /** Inserts lines whose numbers follow each other, in the transaction that is open. */
  insertLogLines(streamId: number, firstSeq: number, rows: NewLogLineRow[]): Promise<void>
  /** The first `limit` lines of the selection, or the last ones (still in ascending order). */
  readLogLines(
    on: PrismaClient,
    selection: LogLineSelection,
    limit: number,
    from: 'start' | 'end',
  ): Promise<LogLineRow[]>
  /**
   * The first lines of the selection, at most `limit.lines` of them, and no more once their messages have
   * `limit.bytes` together; at least one if there is any.
   */
  readLogBatch(
    on: PrismaClient,
    selection: LogLineSelection,
    limit: { lines: number; bytes: number },
  ): Promise<LogLineRow[]>
  countLogLines(on: PrismaClient, selection: LogLineSelection): Promise<number>
}

/** A row of TelemetryBucket: what was measured from `start` (epoch ms) on, for `width` ms. */
export interface TelemetryRow {
  telemetryId: number
  width: number
  start: number
  /** How many samples it is of. */
  count: number
  /** A JSON object. */
  content: string
}

/** Rows of a node that have one width, and begin from `from` on and before `to` (epoch ms). */
export interface TelemetrySpan {
  telemetryId: number
  width: number
  from: number
  to: number
}

/** The statements for telemetry. What is written is written in the transaction that is open. */
export interface TelemetryStatements {
  /** Writes rows; of one that is there already, the one that is there stays unless it is to be replaced. */
  writeTelemetry(rows: TelemetryRow[], ifThere: 'stays' | 'is replaced'): Promise<void>
  /** The rows of some spans, by node and time. */
  readTelemetry(on: Connection, spans: TelemetrySpan[]): Promise<TelemetryRow[]>
  /** The starts of the ranges of `width` ms in which spans have rows. */
  findTelemetryRanges(
    on: Connection,
    spans: TelemetrySpan[],
    width: number,
  ): Promise<{ telemetryId: number; start: number }[]>
  /** When the last row of each node and width begins; those without any are left out. */
  lastTelemetry(
    on: Connection,
    telemetryIds: number[],
    widths: number[],
  ): Promise<{ telemetryId: number; width: number; start: number }[]>
  /** The numbers of all nodes that there are rows of, those that are gone too. */
  listTelemetryIds(on: Connection): Promise<number[]>
  /** Removes the rows of some nodes that have a width and begin before `before`, at most `limit`; says how many. */
  removeTelemetry(
    on: Connection,
    selection: { telemetryIds: number[]; width: number; before: number },
    limit: number,
  ): Promise<number>
}

/** The statements that Prisma cannot express or not fast enough; one implementation per database. */
export interface Statements extends LogLineStatements, TelemetryStatements {
  /**
   * Inserts points with the numbers of a stream from `firstSeq` on, and returns how many: one that is there
   * already is left out.
   */
  insertMetricPoints(
    on: Connection,
    streamId: number,
    firstSeq: number,
    rows: MetricPointRow[],
  ): Promise<number>
  /** The numbers, from `seq` on, that points of a stream have. */
  readPointNumbers(on: Connection, streamId: number, seq: number): Promise<number[]>
  growSeries(on: Connection, rows: SeriesGrowth[]): Promise<void>
  /** Adds points that arrived just now to what is rolled up already. */
  addToRollUps(on: Connection, rows: RollUpRow[]): Promise<void>
  /** Rolls the points of a series up at a level that it has no rows of, by way of the level below if `from` is one. */
  buildRollUps(on: Connection, seriesId: number, level: number, from: number | null): Promise<void>
  /** In how many ranges of a level a series has points. */
  countRanges(on: Connection, seriesId: number, level: number): Promise<number>
  /** The latest values of all series of some runs, by run and key. */
  readLatestMetrics(on: Connection, runIds: string[]): Promise<LatestMetricRow[]>
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
  ): Promise<{ first: number; last: number } | null>
  /** Buckets of a series, by step; empty ones are left out. */
  readBuckets(on: Connection, seriesId: number, selection: BucketSelection): Promise<PointSummary[]>
}
