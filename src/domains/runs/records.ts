import { createBatch } from '../../db/batch.ts'
import type { Database } from '../../db/database.ts'
import { ValidationError } from '../../errors.ts'
import { type LogPage, type LogPageArgs, readLogPage } from '../../streams/log-pages.ts'
import { createTurns } from '../../turns.ts'
import { findSeries, type MetricSeries } from './metric-series.ts'
import { type DeliveredPoint, latestOf, MAX_STEP, MIN_STEP } from './metric-store.ts'

/** The most buckets of a series that one request gets. */
export const MAX_BUCKETS = 10_000

/** Which part of a run's metrics a chart wants. */
export interface SeriesRequest {
  keys?: string[] | null
  maxPoints: number
  minStep?: number | null
  maxStep?: number | null
}

export type RunRecords = ReturnType<typeof createRunRecords>

/** What is stored of a run besides its row: its log and its metrics. Whoever has the run may read them. */
export function createRunRecords({ database }: { database: Database }) {
  const latestOfRun = createBatch(async (runIds: string[]) => {
    const rows = await database.sql.readLatestMetrics(database.prisma, runIds)
    return Map.groupBy(rows, (row) => row.runId)
  })

  const inTurn = createTurns()

  return {
    /** The latest value of every key of a run, by key. */
    async latestMetrics(run: { id: string }): Promise<DeliveredPoint[]> {
      return ((await latestOfRun(run.id)) ?? []).map(latestOf)
    },

    /** A page of a run's log. @throws ValidationError for a cursor of another stream */
    logs(run: { logStreamId: number }, args: LogPageArgs): Promise<LogPage> {
      return readLogPage(database, run.logStreamId, args)
    },

    /** The series of a run for a chart. @throws ValidationError when maxPoints is out of range, or too much for so many series */
    series(run: { id: string }, request: SeriesRequest): Promise<MetricSeries[]> {
      if (request.maxPoints < 1 || request.maxPoints > MAX_BUCKETS) {
        throw ValidationError.at('maxPoints', `Must be from 1 to ${MAX_BUCKETS}.`)
      }
      return findSeries(database, inTurn, run.id, {
        keys: request.keys ?? null,
        maxPoints: request.maxPoints,
        minStep: request.minStep ?? MIN_STEP,
        maxStep: request.maxStep ?? MAX_STEP,
      })
    },
  }
}
