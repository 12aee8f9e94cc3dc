import type { Database } from '../../db/database.ts'
import { NotFoundError } from '../../errors.ts'
import type { Deployment } from '../../generated/prisma/client.ts'
import { KEPT_BYTES, type LogBatch, logBatches, positionOf } from '../../streams/batches.ts'
import type { Guard } from '../../streams/follow.ts'
import type { LogFilter } from '../../streams/log-lines.ts'
import { createSharedReads } from '../../streams/shared-reads.ts'
import type { Signals } from '../../streams/signals.ts'
import { createStateWatcher, type StateChange } from '../../streams/states.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { accessTopics, type ProjectAccess } from '../projects/access.ts'
import { requireDeployment, visibleDeployments } from './access.ts'
import { deploymentTopics } from './lifecycle.ts'

/** What watchers are shown of a node. */
const NODE = { id: true, name: true, address: true, isOnline: true } as const

/** A change of any of these is a change that watchers are told of. */
const WATCHED_FIELDS = {
  status: true,
  statusReason: true,
  restarts: true,
  revision: true,
  updatedAt: true,
  modelServers: {
    select: { id: true, phase: true, pid: true, port: true, ending: true, node: { select: NODE } },
  },
} as const

export type DeploymentWatcher = ReturnType<typeof createDeploymentWatcher>

/**
 * What can be watched of deployments. Whoever watches the same, with the same filter, gets the same objects from one
 * read. A stream ends with NOT_FOUND when the right to see what it is about is taken away.
 */
export function createDeploymentWatcher(deps: {
  database: Database
  signals: Signals
  access: ProjectAccess
}) {
  const { database, signals, access } = deps
  const { prisma } = database
  const logReads = createSharedReads<LogBatch, number>({ signals, keptBytes: KEPT_BYTES })
  const states = createStateWatcher({
    signals,
    topicOf: deploymentTopics.changed,
    read: (id) => prisma.deployment.findUnique({ where: { id }, select: WATCHED_FIELDS }),
  })

  return {
    /**
     * The log of a deployment after a cursor, then live; ends when the deployment is deleted.
     *
     * @throws NotFoundError, ValidationError for a cursor of another stream
     */
    async logs(
      principal: Principal,
      options: { deploymentId: string; after?: string | null; filter?: LogFilter | null },
    ): Promise<AsyncIterableIterator<LogBatch>> {
      requireUser(principal, 'READ')
      const deployment = await requireDeployment(prisma, principal, options.deploymentId)
      const { logStreamId: streamId } = deployment
      const log = logBatches(database, {
        streamId,
        topic: deploymentTopics.stream(streamId),
        filter: options.filter,
        progress: () => progressOf(streamId),
      })
      return logReads.follow(log, positionOf(options.after, streamId), guardOf(principal, deployment))
    },

    /**
     * Which deployments to look at: at once the one named, or all that one may see; then each that changes. A slow
     * reader gets one that changed many times once. Ends when the one named is deleted.
     */
    async updates(
      principal: Principal,
      { deploymentId }: { deploymentId?: string | null },
    ): Promise<AsyncIterableIterator<StateChange>> {
      requireUser(principal, 'READ')
      if (deploymentId) {
        const deployment = await requireDeployment(prisma, principal, deploymentId)
        return states.one(deploymentId, guardOf(principal, deployment))
      }
      return states.all(deploymentTopics.any, () =>
        prisma.deployment.findMany({
          where: visibleDeployments(principal),
          orderBy: { id: 'asc' },
          select: { id: true },
        }),
      )
    },
  }

  /** Ends the stream of somebody who may not see the project any more; what is in none, everybody sees. */
  function guardOf(principal: Principal, { id, projectId }: Deployment): Guard | undefined {
    if (projectId === null) return undefined
    return {
      topic: accessTopics.project(projectId),
      refusal: async () =>
        (await access.shows(principal, projectId)) ? null : new NotFoundError('deployment', id),
    }
  }

  async function progressOf(streamId: number) {
    const stream = await prisma.stream.findUnique({ where: { id: streamId }, select: { lastSeq: true } })
    return { over: !stream, lastSeq: stream?.lastSeq ?? 0 }
  }
}
