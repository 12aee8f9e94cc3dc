import type { Database } from '../../db/database.ts'
import type { KeyedPointRow } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import {
  BATCH_SIZE,
  batchesOf,
  KEPT_BYTES,
  type LogBatch,
  logBatches,
  positionOf,
} from '../../streams/batches.ts'
import type { Guard } from '../../streams/follow.ts'
import type { LogFilter } from '../../streams/log-lines.ts'
import { createSharedReads } from '../../streams/shared-reads.ts'
import type { Signals } from '../../streams/signals.ts'
import { createStateWatcher, type StateChange } from '../../streams/states.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { accessTopics, type ProjectAccess } from '../projects/access.ts'
import { requireProject } from '../projects/find.ts'
import { requireRun, visibleRuns } from './access.ts'
import { runTopics } from './lifecycle.ts'
import { type DeliveredPoint, toStoredValue } from './metric-store.ts'
import { ACTIVE_STATUSES, isFinal } from './status.ts'

/** Points that arrived together, and the cursor after the last of them. */
export interface MetricBatch {
  points: DeliveredPoint[]
  cursor: string
}

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

/**
 * What can be watched of runs while they go on. Whoever watches the same, with the same filter, gets the
 * same objects from one read. A stream ends with NOT_FOUND when the right to see what it is about is taken away.
 */
export function createRunWatcher(deps: { database: Database; signals: Signals; access: ProjectAccess }) {
  const { database, signals, access } = deps
  const { prisma, sql } = database
  const logReads = createSharedReads<LogBatch, number>({ signals, keptBytes: KEPT_BYTES })
  const metricReads = createSharedReads<MetricBatch, number>({ signals, keptBytes: KEPT_BYTES })
  const states = createStateWatcher({
    signals,
    topicOf: runTopics.changed,
    read: (id) => prisma.run.findUnique({ where: { id }, select: WATCHED_FIELDS }),
    isLast: ({ status }) => isFinal(status),
  })

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
      requireUser(principal, 'READ')
      const { runId } = options
      const { logStreamId: streamId, projectId } = await requireRun(prisma, principal, runId, 'VIEWER')
      const log = logBatches(database, {
        streamId,
        topic: runTopics.stream(streamId),
        filter: options.filter,
        progress: () => progressOf(runId, streamId),
      })
      const guard = guardOf(principal, projectId, new NotFoundError('run', runId))
      return logReads.follow(log, positionOf(options.after, streamId), guard)
    },

    /** A run's metric points after a cursor, in the order they arrived, then live; ends as `logs` does. */
    async metrics(
      principal: Principal,
      options: { runId: string; after?: string | null; keys?: string[] | null },
    ): Promise<AsyncIterableIterator<MetricBatch>> {
      requireUser(principal, 'READ')
      const { runId } = options
      const { metricStreamId: streamId, projectId } = await requireRun(prisma, principal, runId, 'VIEWER')
      const keys = options.keys ?? undefined
      const points = batchesOf({
        streamId,
        topic: runTopics.stream(streamId),
        selection: { keys },
        progress: () => progressOf(runId, streamId),
        read: (after) => sql.readMetricPoints(prisma, { streamId, after, keys }, BATCH_SIZE),
        deliver: (rows, cursor): MetricBatch => ({ points: rows.map(toDeliveredPoint), cursor }),
        textOf: (row) => row.key,
      })
      const guard = guardOf(principal, projectId, new NotFoundError('run', runId))
      return metricReads.follow(points, positionOf(options.after, streamId), guard)
    },

    /**
     * Which runs to look at: at once the one named (or those of the project that are active), then each that
     * changes. A slow reader gets a run that changed many times once. Ends when the run named is over, or the
     * project deleted.
     */
    async updates(
      principal: Principal,
      options: { runId?: string | null; project?: string | null },
    ): Promise<AsyncIterableIterator<StateChange>> {
      requireUser(principal, 'READ')
      const { runId, project } = options
      if (!runId) return updatesOfMany(principal, project ?? null)
      const { projectId } = await requireRun(prisma, principal, runId, 'VIEWER')
      return states.one(runId, guardOf(principal, projectId, new NotFoundError('run', runId)))
    },
  }

  /** Ends the stream of somebody who may not see the project any more. */
  function guardOf(principal: Principal, projectId: string, refusal: NotFoundError): Guard {
    return {
      topic: accessTopics.project(projectId),
      refusal: async () => ((await access.shows(principal, projectId)) ? null : refusal),
    }
  }

  async function updatesOfMany(principal: Principal, project: string | null) {
    const found = project === null ? null : await requireProject(prisma, principal, project, 'VIEWER')
    const active = {
      AND: [found ? { projectId: found.id } : {}, visibleRuns(principal)],
      status: { in: ACTIVE_STATUSES },
    }
    return states.all(
      found ? runTopics.inProject(found.id) : runTopics.any,
      () => prisma.run.findMany({ where: active, orderBy: { id: 'asc' }, select: { id: true } }),
      {
        guard: found ? guardOf(principal, found.id, new NotFoundError('project', project ?? '')) : undefined,
        isOver: async () => found !== null && (await prisma.project.count({ where: { id: found.id } })) === 0,
      },
    )
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
