import type { Database } from '../../../db/database.ts'
import type { TelemetrySample } from '../../../machine/types.ts'
import type { Signals } from '../../../streams/signals.ts'
import { announceRun } from '../../runs/reporting.ts'
import { OCCUPYING_STATUSES } from '../../runs/status.ts'

/** What telling runs how busy their GPUs are needs. */
export interface RunUtilizationDependencies {
  database: Database
  signals: Signals
  /** What a node measured last. */
  latest: (nodeId: string) => { sample: TelemetrySample } | null
  /** Epoch ms. */
  now: () => number
}

/** The shortest time between two changes of a run, in ms. */
const PACE_MS = 2000
/** A change by less is not worth a write; a part of 1. */
const LEAST_CHANGE = 0.01

/** Tells runs how busy the GPUs are that they hold. */
export function createRunUtilization({ database, signals, latest, now }: RunUtilizationDependencies) {
  /** When each run was told last, in epoch ms. */
  const toldAt = new Map<string, number>()
  /** The nodes whose GPUs are to be looked at. */
  const news = new Set<string>()

  const isDue = (runId: string) => now() - (toldAt.get(runId) ?? 0) >= PACE_MS

  /** The runs that hold GPUs of some nodes, and are to be told something else than they were. */
  async function findChanged(nodeIds: string[]) {
    const runs = await database.prisma.run.findMany({
      where: { status: { in: OCCUPYING_STATUSES }, gpus: { some: { nodeId: { in: nodeIds } } } },
      select: { id: true, projectId: true, gpuUtilization: true, gpus: true },
    })
    return runs.flatMap(({ gpuUtilization: known, ...run }) => {
      const gpuUtilization = meanOf(run.gpus)
      if (gpuUtilization === null) return []
      if (known !== null && Math.abs(gpuUtilization - known) < LEAST_CHANGE) return []
      return { ...run, gpuUtilization }
    })
  }

  return {
    /** Notes that a node measured itself. */
    note(nodeId: string, sample: TelemetrySample): void {
      if (sample.gpus.length > 0) news.add(nodeId)
    },

    /** Tells the runs on nodes of which something was noted. */
    async update(): Promise<void> {
      if (news.size === 0) return
      const changed = await findChanged([...news])
      news.clear()
      for (const [runId] of toldAt) if (isDue(runId)) toldAt.delete(runId)
      const due = changed.filter(({ id }) => isDue(id))
      for (const { id, gpus } of changed) if (!isDue(id)) for (const { nodeId } of gpus) news.add(nodeId)
      if (due.length === 0) return
      await database.transaction(async (tx) => {
        for (const { id, gpuUtilization } of due) {
          await tx.run.updateMany({
            where: { id, status: { in: OCCUPYING_STATUSES } },
            data: { gpuUtilization, updatedAt: new Date(now()) },
          })
        }
      })
      for (const run of due) {
        toldAt.set(run.id, now())
        announceRun(signals, run)
      }
    },
  }

  /** The mean utilization of some GPUs, 0 to 1; null while none of them is known. */
  function meanOf(gpus: { nodeId: string; gpu: number }[]): number | null {
    const known = gpus
      .map(({ nodeId, gpu }) => latest(nodeId)?.sample.gpus.find(({ index }) => index === gpu)?.utilization)
      .filter((utilization) => utilization !== null && utilization !== undefined)
    if (known.length === 0) return null
    return known.reduce((sum, utilization) => sum + utilization, 0) / known.length / 100
  }
}
