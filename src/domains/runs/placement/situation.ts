import { z } from 'zod'
import type { PrismaClient } from '../../../generated/prisma/client.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'
import { nodeStatus } from '../../compute-nodes/status.ts'
import { findLingering } from '../lingering.ts'
import { OCCUPYING_STATUSES } from '../status.ts'
import type { PlacementNode } from './fit.ts'
import type { Situation, WaitingRun } from './plan.ts'
import { storedWishes, WISH_COLUMNS } from './wishes.ts'

/** A run that waits, with what is said of why. */
export interface QueuedRun extends WaitingRun {
  statusReason: string | null
}

/** What matters here of what is stored of a machine; an agent of another version may tell more, or less. */
const Hardware = z.object({
  memoryTotalBytes: z.number().nullish().catch(null),
  gpus: z
    .array(z.object({ index: z.number(), name: z.string() }))
    .nullish()
    .catch(null),
})

/** Where the queue stands now; null when nobody waits. */
export async function readSituation(
  prisma: PrismaClient,
): Promise<(Situation & { queue: QueuedRun[] }) | null> {
  const waiting = await prisma.run.findMany({
    where: { status: 'QUEUED' },
    select: { id: true, projectId: true, priority: true, statusReason: true, ...WISH_COLUMNS },
  })
  if (waiting.length === 0) return null
  const [nodes, running] = await Promise.all([
    prisma.computeNode.findMany({
      include: { labels: true, gpuReservations: { select: { gpu: true } } },
      orderBy: { id: 'asc' },
    }),
    prisma.run.findMany({
      // Of one that was given up the process may still be there.
      where: {
        OR: [
          { status: { in: OCCUPYING_STATUSES } },
          { status: 'LOST', id: { in: await findLingering(prisma) } },
        ],
      },
      select: { projectId: true, nodeId: true, memoryBytes: true },
    }),
  ])
  const runsOf = Map.groupBy(running, ({ nodeId }) => nodeId)
  const placesOf = Map.groupBy(running, ({ projectId }) => projectId)
  return {
    nodes: nodes.map((node): PlacementNode => {
      const { memoryTotalBytes, gpus } = Hardware.parse(node.hardware)
      const reserved = new Set(node.gpuReservations.map(({ gpu }) => gpu))
      const runs = runsOf.get(node.id) ?? []
      return {
        id: node.id,
        name: node.name,
        isOwn: node.id === OWN_NODE_ID,
        status: nodeStatus(node),
        labels: Object.fromEntries(node.labels.map(({ name, value }) => [name, value])),
        maxRuns: node.maxRuns,
        runs: runs.length,
        gpus: (gpus ?? []).map(({ index, name }) => ({ index, name, isFree: !reserved.has(index) })),
        memoryBytes: memoryTotalBytes ?? null,
        reservedBytes: runs.reduce((sum, run) => sum + Number(run.memoryBytes ?? 0), 0),
      }
    }),
    placesOf: new Map([...placesOf].map(([projectId, runs]) => [projectId, runs.length])),
    queue: waiting.map(({ id, projectId, priority, statusReason, ...run }) => ({
      id,
      projectId,
      priority,
      statusReason,
      wishes: storedWishes(run),
    })),
  }
}
