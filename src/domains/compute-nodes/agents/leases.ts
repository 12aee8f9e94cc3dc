import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import { outageOf } from '../../../outage.ts'
import type { Signals } from '../../../streams/signals.ts'
import { OWN_NODE_ID } from '../own-node.ts'
import { announceNode } from '../topics.ts'

/** What the leases of nodes need. */
export interface LeaseDependencies {
  database: Database
  signals: Signals
  log: Logger
  /** After how long without a word a node is OFFLINE, in seconds. */
  nodeLeaseSeconds: number
  /** After how long without a word what runs on a node is given up, in seconds. */
  runLeaseSeconds: number
  now?: () => number
}

/** How often it is looked whose lease has run out, in ms. */
const CHECK_MS = 500
/** How often `lastSeenAt` is written of those that are heard of, in ms, at once for all: what counts is in memory. */
const STORED_MS = 10_000
/** Of a node that was silent for so long, in ms, it is not written that it is seen now. */
const RECENT_MS = 5000

export type Leases = ReturnType<typeof createLeases>

/**
 * Knows which nodes are heard of. A server that has just started gives each node a whole lease to be heard of: while
 * it was down it could not hear anybody.
 */
export function createLeases(deps: LeaseDependencies) {
  const { database, signals, log, nodeLeaseSeconds, runLeaseSeconds, now = () => performance.now() } = deps
  const startedAt = now()
  const seen = new Map<string, number>()
  const online = new Set<string>()
  let storedAt = startedAt
  let timer: NodeJS.Timeout | undefined
  let checking: Promise<void> = Promise.resolve()

  const silence = (nodeId: string) => now() - (seen.get(nodeId) ?? startedAt)

  async function store(nodeIds: string[], data: { isOnline: boolean; lastSeenAt?: Date }): Promise<void> {
    await database.transaction((tx) => tx.computeNode.updateMany({ where: { id: { in: nodeIds } }, data }))
  }

  async function setOffline(nodeId: string) {
    const lastSeenAt = seen.has(nodeId) ? { lastSeenAt: new Date(Date.now() - silence(nodeId)) } : {}
    await store([nodeId], { isOnline: false, ...lastSeenAt })
    online.delete(nodeId)
    log.warn({ nodeId }, 'a compute node is not heard of any more')
    announceNode(signals, nodeId)
  }

  async function check() {
    for (const nodeId of online) if (silence(nodeId) > nodeLeaseSeconds * 1000) await setOffline(nodeId)
    if (now() - storedAt < STORED_MS) return
    storedAt = now()
    const heard = [...online].filter((nodeId) => seen.has(nodeId) && silence(nodeId) < RECENT_MS)
    if (heard.length > 0) await store(heard, { isOnline: true, lastSeenAt: new Date() })
  }

  return {
    nodeLeaseSeconds,

    /** A node was heard of. */
    async renew(nodeId: string): Promise<void> {
      seen.set(nodeId, now())
      if (online.has(nodeId)) return
      online.add(nodeId)
      try {
        await store([nodeId], { isOnline: true, lastSeenAt: new Date() })
      } catch (error) {
        // The next word tries again.
        online.delete(nodeId)
        throw error
      }
      log.info({ nodeId }, 'a compute node is heard of')
      announceNode(signals, nodeId)
    },

    /** Whether a node was not heard of for so long that what runs on it is given up. */
    isOver: (nodeId: string): boolean => nodeId !== OWN_NODE_ID && silence(nodeId) > runLeaseSeconds * 1000,

    /** Takes up the nodes that were online when the last server stopped. */
    async start(): Promise<void> {
      const nodes = await database.prisma.computeNode.findMany({
        where: { isOnline: true, id: { not: OWN_NODE_ID } },
        select: { id: true },
      })
      for (const { id } of nodes) online.add(id)
      timer = setInterval(() => {
        checking = checking.then(check).catch((error: unknown) => {
          if (!outageOf(error)) log.error({ err: error }, 'the leases could not be looked at; trying again')
        })
      }, CHECK_MS)
    },

    async stop(): Promise<void> {
      clearInterval(timer)
      await checking
    },
  }
}
