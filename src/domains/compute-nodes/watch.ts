import type { Database } from '../../db/database.ts'
import { NotFoundError } from '../../errors.ts'
import type { Signals } from '../../streams/signals.ts'
import { createStateWatcher, type StateChange } from '../../streams/states.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { nodeTopics } from './topics.ts'

/** A change of any of these is a change that watchers are told of; being heard of is none. */
const WATCHED_FIELDS = {
  name: true,
  type: true,
  mode: true,
  isOnline: true,
  location: true,
  address: true,
  maxRuns: true,
  agentVersion: true,
  startedAt: true,
  updatedAt: true,
  labels: true,
} as const

export type ComputeNodeWatcher = ReturnType<typeof createComputeNodeWatcher>

/** What can be watched of machines. */
export function createComputeNodeWatcher({ database, signals }: { database: Database; signals: Signals }) {
  const { prisma } = database
  const states = createStateWatcher({
    signals,
    topicOf: nodeTopics.changed,
    read: (id) => prisma.computeNode.findUnique({ where: { id }, select: WATCHED_FIELDS }),
  })

  return {
    /**
     * Which nodes to look at: at once the one named, or all; then each that changes. Ends when the one named is
     * deleted.
     *
     * @throws NotFoundError
     */
    async updates(
      principal: Principal,
      { computeNodeId }: { computeNodeId?: string | null },
    ): Promise<AsyncIterableIterator<StateChange>> {
      requireUser(principal, 'READ')
      if (computeNodeId) {
        const isThere = (await prisma.computeNode.count({ where: { id: computeNodeId } })) > 0
        if (!isThere) throw new NotFoundError('compute node', computeNodeId)
        return states.one(computeNodeId)
      }
      return states.all(nodeTopics.any, () =>
        prisma.computeNode.findMany({ select: { id: true }, orderBy: { id: 'asc' } }),
      )
    },
  }
}
