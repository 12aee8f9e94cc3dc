import { z } from 'zod'
import type { Database } from '../../../db/database.ts'
import { NotFoundError } from '../../../errors.ts'
import type { ComputeNode } from '../../../generated/prisma/client.ts'
import { createSharedReads } from '../../../streams/shared-reads.ts'
import type { Signals } from '../../../streams/signals.ts'
import { createTurns } from '../../../turns.ts'
import { type Principal, requireUser } from '../../accounts/principal.ts'
import { type ComputeNodeFilter, matchingNodes } from '../service.ts'
import { nodeTopics } from '../topics.ts'
import type { HistoryRequest, TelemetryHistory } from './history.ts'
import type { LatestTelemetry, TelemetryStore } from './store.ts'
import type { TelemetrySummary } from './summary.ts'
import { type TelemetryTotal, totalOf } from './totals.ts'
import type { Watched } from './watched.ts'

/** What a node measured at a moment, or in a span of time. */
export interface TelemetryPoint {
  summary: TelemetrySummary
  /** The models of its GPUs, by their numbers. */
  gpuNames: ReadonlyMap<number, string>
}

/** What the service needs. */
export interface TelemetryServiceDependencies {
  database: Database
  signals: Signals
  store: TelemetryStore
  history: TelemetryHistory
  watched: Watched
}

/** The position of somebody who has seen no sample. */
const NOTHING_SEEN = 0
/** The finest width that several nodes are read in together: of shorter ones, some nodes have nothing. */
const FINEST_OF_MANY = 1

export type TelemetryService = ReturnType<typeof createTelemetryService>

/** What nodes measure, as people see it. Whoever has a node may see it; everybody signed in sees all of them. */
export function createTelemetryService(deps: TelemetryServiceDependencies) {
  const { database, signals, store, history, watched } = deps
  const { prisma } = database
  const inTurn = createTurns()
  const reads = createSharedReads<TelemetryPoint, number>({ signals })
  /** Whoever reads the same sample gets the same object. */
  const points = new WeakMap<LatestTelemetry, TelemetryPoint>()

  function pointOf(latest: LatestTelemetry): TelemetryPoint {
    const { summary, sample } = latest
    const point = points.get(latest) ?? {
      summary,
      gpuNames: new Map(sample.gpus.map(({ index, name }) => [index, name])),
    }
    points.set(latest, point)
    return point
  }

  return {
    /** What a node measured last; null when it has not since the server started. It now counts as watched for a while. */
    latest(node: { id: string }): TelemetryPoint | null {
      watched.look(node.id)
      const latest = store.latest(node.id)
      return latest && pointOf(latest)
    },

    /** What a node measured over time, in at most `maxPoints` points. @throws ValidationError */
    async history(
      node: Pick<ComputeNode, 'id' | 'telemetryId' | 'hardware'>,
      request: HistoryRequest,
    ): Promise<TelemetryPoint[]> {
      await store.flush()
      const found = await inTurn(() => history.read([node.telemetryId], request))
      const gpuNames = gpuNamesOf(node, store.latest(node.id))
      const pieces = [...(found.get(node.telemetryId) ?? [])].sort(([one], [other]) => one - other)
      return pieces.map(([, summary]) => ({ summary, gpuNames }))
    },

    /** What the nodes that match measured over time, together. @throws ValidationError */
    async totals(
      principal: Principal,
      options: HistoryRequest & { ids?: string[] | null; filter?: ComputeNodeFilter | null },
    ): Promise<TelemetryTotal[]> {
      requireUser(principal, 'READ')
      const { ids, filter, ...request } = options
      await store.flush()
      const nodes = await prisma.computeNode.findMany({
        where: { AND: [matchingNodes(filter), ids ? { id: { in: ids } } : {}] },
        select: { telemetryId: true },
      })
      const telemetryIds = nodes.map(({ telemetryId }) => telemetryId)
      const found = await inTurn(() => history.read(telemetryIds, request, FINEST_OF_MANY))
      const pieces = new Map<number, TelemetrySummary[]>()
      for (const ofNode of found.values()) {
        for (const [piece, summary] of ofNode) pieces.set(piece, [...(pieces.get(piece) ?? []), summary])
      }
      return [...pieces].sort(([one], [other]) => one - other).map(([, ofNodes]) => totalOf(ofNodes))
    },

    /**
     * What a node measures: the latest at once, then each as it comes; who reads slowly gets the latest and misses
     * those in between. Ends with NOT_FOUND when the node is removed.
     *
     * @throws NotFoundError
     */
    async watch(principal: Principal, nodeId: string): Promise<AsyncIterableIterator<TelemetryPoint>> {
      requireUser(principal, 'READ')
      const refusal = async () => {
        const isThere = (await prisma.computeNode.count({ where: { id: nodeId } })) > 0
        return isThere ? null : new NotFoundError('compute node', nodeId)
      }
      const missing = await refusal()
      if (missing) throw missing
      const stream = {
        key: nodeId,
        topic: nodeTopics.telemetry(nodeId),
        async read(seen: number) {
          const latest = store.latest(nodeId)
          const isNews = latest !== null && latest.number !== seen
          return {
            item: isNews ? pointOf(latest) : null,
            position: latest?.number ?? seen,
            more: false,
            ended: false,
            bytes: 0,
          }
        },
      }
      const guard = { topic: nodeTopics.changed(nodeId), refusal }
      return reads.follow(stream, NOTHING_SEEN, guard, watched.watch(nodeId))
    },
  }
}

const WithGpus = z.object({ gpus: z.array(z.object({ index: z.int(), name: z.string() })) })

/** The models of a node's GPUs: what it said of itself, and what it measured last. */
function gpuNamesOf({ hardware }: Pick<ComputeNode, 'hardware'>, latest: LatestTelemetry | null) {
  const known = WithGpus.safeParse(hardware)
  const gpus = [...(known.data?.gpus ?? []), ...(latest?.sample.gpus ?? [])]
  return new Map(gpus.map(({ index, name }) => [index, name]))
}
