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
import { follow, type Guard } from '../../streams/follow.ts'
import type { LogFilter } from '../../streams/log-lines.ts'
import { createSharedReads, type SharedStream } from '../../streams/shared-reads.ts'
import type { Signals } from '../../streams/signals.ts'
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

/** Which run a message of `runUpdated` is about. */
export interface RunUpdate {
  runId: string
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
  const stateReads = createSharedReads<RunUpdate, string>({ signals })

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
    ): Promise<AsyncIterableIterator<RunUpdate>> {
      requireUser(principal, 'READ')
      const { runId, project } = options
      if (!runId) return updatesOfMany(principal, project ?? null)
      const { projectId } = await requireRun(prisma, principal, runId, 'VIEWER')
      const guard = guardOf(principal, projectId, new NotFoundError('run', runId))
      return stateReads.follow(stateOf(runId), NOTHING_SEEN, guard)
    },
  }

  /** What watchers see of a run; a position is what they saw last. */
  function stateOf(runId: string): SharedStream<RunUpdate, string> {
    return {
      key: runId,
      topic: runTopics.changed(runId),
      async read(seen) {
        const run = await prisma.run.findUnique({ where: { id: runId }, select: WATCHED_FIELDS })
        const state = JSON.stringify(run)
        const ended = !run || isFinal(run.status)
        return {
          item: run && state !== seen ? { runId } : null,
          position: state,
          more: false,
          ended,
          bytes: 0,
        }
      },
    }
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
    const inProject = found ? { projectId: found.id } : {}
    // Holds each run once however often it changes, so a slow reader costs no more than there are runs.
    const pending = new Set<string>()
    let hasActive = false
    return follow<RunUpdate, null>({
      signals,
      topic: found ? runTopics.inProject(found.id) : runTopics.any,
      from: null,
      // Of a run of another project that may not be seen, nothing is delivered: whoever resolves it does not find it.
      guard: found ? guardOf(principal, found.id, new NotFoundError('project', project ?? '')) : undefined,
      onSignal: (runId) => pending.add(runId),
      async read() {
        if (!hasActive) {
          // Read only now that changes are listened to, so that no run is started unseen in between.
          const active = await prisma.run.findMany({
            where: { AND: [inProject, visibleRuns(principal)], status: { in: ACTIVE_STATUSES } },
            orderBy: { id: 'asc' },
            select: { id: true },
          })
          for (const { id } of active) pending.add(id)
          hasActive = true
        }
        for (const runId of pending) {
          pending.delete(runId)
          const { item } = await stateReads.read(stateOf(runId), NOTHING_SEEN)
          if (item) return { item, position: null, more: true, ended: false }
        }
        const isDeleted = found !== null && (await prisma.project.count({ where: { id: found.id } })) === 0
        return { item: null, position: null, more: false, ended: isDeleted }
      },
    })
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

/** The position of somebody who has seen no state of a run. */
const NOTHING_SEEN = ''

function toDeliveredPoint({ key, step, timestamp, value, nonFinite }: KeyedPointRow): DeliveredPoint {
  return { key, step, timestamp: new Date(timestamp), ...toStoredValue(value, nonFinite) }
}
