import type { Database } from '../../db/database.ts'
import type { KeyedPointRow } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import { decodeCursor, encodeCursor } from '../../streams/cursor.ts'
import { follow } from '../../streams/follow.ts'
import { type LogFilter, type LogLine, selectLogLines, toLogLine } from '../../streams/log-lines.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { byRef } from '../projects/service.ts'
import { runTopics } from './lifecycle.ts'
import { type DeliveredPoint, toStoredValue } from './metric-store.ts'
import { ACTIVE_STATUSES, isFinal } from './status.ts'

/** Lines that arrived together, and the cursor after the last of them. */
export interface LogBatch {
  lines: LogLine[]
  cursor: string
}

/** Points that arrived together, and the cursor after the last of them. */
export interface MetricBatch {
  points: DeliveredPoint[]
  cursor: string
}

/** The most lines or points in one message. */
const BATCH_SIZE = 1000

/** A change of any of these is a change that watchers are told of. */
const WATCHED_FIELDS = {
  status: true,
  statusReason: true,
  progress: true,
  step: true,
  totalSteps: true,
  epoch: true,
  exitCode: true,
  checkpointCount: true,
  gpuUtilization: true,
  updatedAt: true,
} as const

export type RunWatcher = ReturnType<typeof createRunWatcher>

/** What can be watched of runs while they go on. */
export function createRunWatcher({ database, signals }: { database: Database; signals: Signals }) {
  const { prisma, sql } = database

  return {
    /**
     * A run's log after a cursor, then live; ends when the run is over and all is delivered, or when the
     * run is deleted.
     *
     * @throws NotFoundError, ValidationError for a cursor of another stream
     */
    async logs(
      principal: Principal,
      options: { runId: string; after?: string | null; filter?: LogFilter | null },
    ): Promise<AsyncIterableIterator<LogBatch>> {
      requireUser(principal)
      const { logStreamId: streamId } = await findRun(options.runId)
      const selection = selectLogLines(streamId, options.filter)
      return followRows({
        ...options,
        streamId,
        read: (after) => sql.readLogLines(prisma, { ...selection, after }, BATCH_SIZE, 'start'),
        deliver: (rows, cursor): LogBatch => ({ lines: rows.map((row) => toLogLine(streamId, row)), cursor }),
      })
    },

    /** A run's metric points after a cursor, in the order they arrived, then live; ends as `logs` does. */
    async metrics(
      principal: Principal,
      options: { runId: string; after?: string | null; keys?: string[] | null },
    ): Promise<AsyncIterableIterator<MetricBatch>> {
      requireUser(principal)
      const { metricStreamId: streamId } = await findRun(options.runId)
      const keys = options.keys ?? undefined
      return followRows({
        ...options,
        streamId,
        read: (after) => sql.readMetricPoints(prisma, { streamId, after, keys }, BATCH_SIZE),
        deliver: (rows, cursor): MetricBatch => ({ points: rows.map(toDeliveredPoint), cursor }),
      })
    },

    /**
     * Ids of runs: at once of the one named (or those of the project that are active), then of each that
     * changes. A slow reader gets a run that changed many times once. Ends when the run named is over, or the
     * project deleted.
     */
    async updates(
      principal: Principal,
      options: { runId?: string | null; project?: string | null },
    ): Promise<AsyncIterableIterator<{ runId: string }>> {
      requireUser(principal)
      return options.runId ? updatesOfOne(options.runId) : updatesOfMany(options.project ?? null)
    },
  }

  /** Follows the rows of one of a run's streams in batches, until the run is over or deleted. */
  function followRows<Row extends { seq: number }, Batch>(options: {
    runId: string
    streamId: number
    after?: string | null
    read: (after: number) => Promise<Row[]>
    deliver: (rows: Row[], cursor: string) => Batch
  }): AsyncIterableIterator<Batch> {
    const { runId, streamId } = options
    return follow<Batch, number>({
      signals,
      topic: runTopics.stream(streamId),
      from: options.after ? decodeCursor(options.after, streamId) : 0,
      async read(after) {
        const { over, lastSeq } = await progressOf(runId, streamId)
        const rows = await options.read(after)
        // Everything up to lastSeq was looked at, unless the batch is full and more may match.
        const full = rows.length === BATCH_SIZE
        const position = Math.max(after, rows.at(-1)?.seq ?? 0, full ? 0 : lastSeq)
        const item = rows.length > 0 ? options.deliver(rows, encodeCursor(streamId, position)) : null
        return { item, position, ended: over }
      },
    })
  }

  async function updatesOfOne(runId: string) {
    await findRun(runId)
    return follow<{ runId: string }, string>({
      signals,
      topic: runTopics.changed(runId),
      from: '',
      async read(seen) {
        const run = await prisma.run.findUnique({
          where: { id: runId },
          select: WATCHED_FIELDS,
        })
        const state = JSON.stringify(run)
        const ended = !run || isFinal(run.status)
        return { item: run && state !== seen ? { runId } : null, position: state, ended }
      },
    })
  }

  async function updatesOfMany(project: string | null) {
    const found = project === null ? null : await prisma.project.findFirst({ where: byRef(project) })
    if (project !== null && !found) throw new NotFoundError('project', project)
    const inProject = found ? { projectId: found.id } : {}
    // Holds each run once however often it changes, so a slow reader costs no more than there are runs.
    const pending = new Set<string>()
    let hasActive = false
    return follow<{ runId: string }, null>({
      signals,
      topic: found ? runTopics.inProject(found.id) : runTopics.any,
      from: null,
      onSignal: (runId) => pending.add(runId),
      async read() {
        if (!hasActive) {
          // Read only now that changes are listened to, so that no run is started unseen in between.
          const active = await prisma.run.findMany({
            where: { ...inProject, status: { in: ACTIVE_STATUSES } },
            orderBy: { id: 'asc' },
            select: { id: true },
          })
          for (const { id } of active) pending.add(id)
          hasActive = true
        }
        for (const runId of pending) {
          pending.delete(runId)
          const exists = await prisma.run.count({ where: { id: runId } })
          if (exists > 0) return { item: { runId }, position: null, ended: false }
        }
        const isDeleted = found !== null && (await prisma.project.count({ where: { id: found.id } })) === 0
        return { item: null, position: null, ended: isDeleted }
      },
    })
  }

  async function findRun(runId: string) {
    const run = await prisma.run.findUnique({ where: { id: runId } })
    if (!run) throw new NotFoundError('run', runId)
    return run
  }

  /** Read before the rows, so that whatever was stored before the run was over is seen by the read after it. */
  async function progressOf(runId: string, streamId: number) {
    const [run, stream] = await Promise.all([
      prisma.run.findUnique({ where: { id: runId }, select: { status: true } }),
      prisma.stream.findUnique({ where: { id: streamId }, select: { lastSeq: true } }),
    ])
    return { over: !run || isFinal(run.status), lastSeq: stream?.lastSeq ?? 0 }
  }
}

function toDeliveredPoint({ key, step, timestamp, value, nonFinite }: KeyedPointRow): DeliveredPoint {
  return { key, step, timestamp: new Date(timestamp), ...toStoredValue(value, nonFinite) }
}
