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
/** `lastSeenAt` is written at most this often for each node, in ms; what counts is in memory. */
const STORED_MS = 10_000

export type Leases = ReturnType<typeof createLeases>

/**
 * Knows which nodes are heard of. A server that has just started gives each node a whole lease to be heard of: while
 * it was down it could not hear anybody.
 */
export function createLeases(deps: LeaseDependencies) {
  const { database, signals, log, nodeLeaseSeconds, runLeaseSeconds, now = () => performance.now() } = deps
  const startedAt = now()
  const seen = new Map<string, number>()
  const stored = new Map<string, number>()
  const online = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let checking: Promise<void> = Promise.resolve()

  const silence = (nodeId: string) => now() - (seen.get(nodeId) ?? startedAt)

  async function store(nodeId: string, isOnline: boolean) {
    await database.transaction((tx) =>
      tx.computeNode.updateMany({
        where: { id: nodeId },
        data: { isOnline, ...(isOnline && { lastSeenAt: new Date() }) },
      }),
    )
    stored.set(nodeId, now())
  }

  async function setOffline(nodeId: string) {
    await store(nodeId, false)
    online.delete(nodeId)
    log.warn({ nodeId }, 'a compute node is not heard of any more')
    announceNode(signals, nodeId)
  }

  async function check() {
    for (const nodeId of online) if (silence(nodeId) > nodeLeaseSeconds * 1000) await setOffline(nodeId)
  }

  return {
    nodeLeaseSeconds,

    /** A node was heard of. */
    async renew(nodeId: string): Promise<void> {
      seen.set(nodeId, now())
      const isNews = !online.has(nodeId)
      if (!isNews && now() - (stored.get(nodeId) ?? 0) < STORED_MS) return
      online.add(nodeId)
      await store(nodeId, true)
      if (!isNews) return
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
