import type { Database } from '../../db/database.ts'
import { NotFoundError } from '../../errors.ts'
import type { Deployment } from '../../generated/prisma/client.ts'
import { KEPT_BYTES, type LogBatch, logBatches, positionOf } from '../../streams/batches.ts'
import { follow, type Guard } from '../../streams/follow.ts'
import type { LogFilter } from '../../streams/log-lines.ts'
import { createSharedReads, type SharedStream } from '../../streams/shared-reads.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { accessTopics, type ProjectAccess } from '../projects/access.ts'
import { requireDeployment, visibleDeployments } from './access.ts'
import { deploymentTopics } from './lifecycle.ts'

/** Which deployment a message of `deploymentUpdated` is about. */
export interface DeploymentUpdate {
  deploymentId: string
}

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
  const stateReads = createSharedReads<DeploymentUpdate, string>({ signals })

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
    ): Promise<AsyncIterableIterator<DeploymentUpdate>> {
      requireUser(principal, 'READ')
      if (!deploymentId) return updatesOfAll(principal)
      const deployment = await requireDeployment(prisma, principal, deploymentId)
      return stateReads.follow(stateOf(deploymentId), NOTHING_SEEN, guardOf(principal, deployment))
    },
  }

  /** What watchers see of a deployment; a position is what they saw last. */
  function stateOf(deploymentId: string): SharedStream<DeploymentUpdate, string> {
    return {
      key: deploymentId,
      topic: deploymentTopics.changed(deploymentId),
      async read(seen) {
        const deployment = await prisma.deployment.findUnique({
          where: { id: deploymentId },
          select: WATCHED_FIELDS,
        })
        const state = JSON.stringify(deployment)
        return {
          item: deployment && state !== seen ? { deploymentId } : null,
          position: state,
          more: false,
          ended: !deployment,
          bytes: 0,
        }
      },
    }
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

  function updatesOfAll(principal: Principal) {
    // Holds each deployment once however often it changes, so a slow reader costs no more than there are.
    const pending = new Set<string>()
    let hasAll = false
    return follow<DeploymentUpdate, null>({
      signals,
      topic: deploymentTopics.any,
      from: null,
      // Of one that may not be seen, nothing is delivered: whoever resolves it does not find it.
      onSignal: (id) => pending.add(id),
      async read() {
        if (!hasAll) {
          // Read only now that changes are listened to, so that none is made unseen in between.
          const all = await prisma.deployment.findMany({
            where: visibleDeployments(principal),
            orderBy: { id: 'asc' },
            select: { id: true },
          })
          for (const { id } of all) pending.add(id)
          hasAll = true
        }
        for (const id of pending) {
          pending.delete(id)
          const { item } = await stateReads.read(stateOf(id), NOTHING_SEEN)
          if (item) return { item, position: null, more: true, ended: false }
        }
        return { item: null, position: null, more: false, ended: false }
      },
    })
  }

  async function progressOf(streamId: number) {
    const stream = await prisma.stream.findUnique({ where: { id: streamId }, select: { lastSeq: true } })
    return { over: !stream, lastSeq: stream?.lastSeq ?? 0 }
  }
}

/** The position of somebody who has seen no state of a deployment. */
const NOTHING_SEEN = ''
