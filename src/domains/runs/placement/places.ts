import { type Database, isUniqueViolation } from '../../../db/database.ts'
import type { Signals } from '../../../streams/signals.ts'
import { transition } from '../lifecycle.ts'
import { announceRun } from '../reporting.ts'
import { type Placement, planPlacements } from './plan.ts'
import { type QueuedRun, readSituation } from './situation.ts'

/** How many runs one statement changes. */
const CHUNK = 500

/** What is needed to give places. */
export interface PlaceDependencies {
  database: Database
  signals: Signals
  now?: () => Date
}

/**
 * Gives places to those runs that wait and fit somewhere now, and says of the others what they wait for. To be called
 * by one at a time.
 *
 * @param attend is told of each that got a place, which somebody must see through from then on
 */
export async function givePlaces(deps: PlaceDependencies, attend: (runId: string) => void): Promise<void> {
  const situation = await readSituation(deps.database.prisma)
  if (!situation) return
  const { placements, reasons } = planPlacements(situation)
  const waiting = new Map(situation.queue.map((run) => [run.id, run]))
  for (const placement of placements) {
    if (!(await take(deps, placement))) continue
    attend(placement.runId)
    const run = waiting.get(placement.runId)
    if (run) announceRun(deps.signals, run)
  }
  await explain(deps, situation.queue, reasons)
}

/**
 * Moves a run to its place, with the GPUs that it has there for itself.
 *
 * @returns false when it is cancelled meanwhile, when its node takes no work any more, or when a model server has one
 *   of the GPUs
 */
async function take({ database, now = () => new Date() }: PlaceDependencies, placement: Placement) {
  const { runId, nodeId, gpus } = placement
  try {
    return await database.transaction(async (tx) => {
      const node = await tx.computeNode.count({ where: { id: nodeId, isOnline: true, mode: 'ACTIVE' } })
      if (node === 0) return false
      const isMoved = await transition(tx, runId, 'STARTING', now(), { nodeId, statusReason: null })
      if (isMoved && gpus.length > 0) {
        await tx.gpuReservation.createMany({ data: gpus.map((gpu) => ({ nodeId, gpu, runId })) })
      }
      return isMoved
    })
  } catch (error) {
    if (isUniqueViolation(error)) return false
    throw error
  }
}

/** Says of runs what they wait for, where that is not what is said already. */
async function explain(
  { database, signals, now = () => new Date() }: PlaceDependencies,
  queue: QueuedRun[],
  reasons: Map<string, string>,
): Promise<void> {
  const news = queue.filter(({ id, statusReason }) => reasons.has(id) && reasons.get(id) !== statusReason)
  for (const [statusReason, runs] of Map.groupBy(news, ({ id }) => reasons.get(id) ?? null)) {
    for (let start = 0; start < runs.length; start += CHUNK) {
      const some = runs.slice(start, start + CHUNK)
      await database.transaction((tx) =>
        tx.run.updateMany({
          where: { id: { in: some.map(({ id }) => id) }, status: 'QUEUED' },
          data: { statusReason, updatedAt: now() },
        }),
      )
      for (const run of some) announceRun(signals, run)
    }
  }
}
