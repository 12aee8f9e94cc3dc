import type { Transaction } from '../../db/database.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import { OWN_NODE_ID } from '../compute-nodes/own-node.ts'
import { isFinal, predecessorsOf, type RunStatus } from './status.ts'

/** What else changes with a status. */
export type TransitionData = Omit<Prisma.RunUncheckedUpdateManyInput, 'id' | 'status'>

/**
 * Moves a run to a status, if the table of transitions allows it from where the run is now. Of several
 * who try at the same time one wins, and a final status is never overwritten. With a final status, its tokens end and
 * its GPUs are free.
 *
 * @returns whether this call did it
 */
export async function transition(
  tx: Transaction,
  runId: string,
  to: RunStatus,
  at: Date,
  data: TransitionData = {},
): Promise<boolean> {
  const { count } = await tx.run.updateMany({
    where: { id: runId, status: { in: predecessorsOf(to) } },
    data: { ...data, status: to, updatedAt: at },
  })
  if (count > 0 && isFinal(to)) {
    await tx.apiToken.deleteMany({ where: { runId } })
    // What is lost on another machine may still run there: its GPUs are free when that machine tells so.
    const isGone = to === 'LOST' ? { nodeId: OWN_NODE_ID } : {}
    await tx.gpuReservation.deleteMany({ where: { runId, ...isGone } })
  }
  return count > 0
}

/** The topics that a run's changes are announced under. */
export const runTopics = {
  /** The row of one run changed. */
  changed: (runId: string) => `run/${runId}`,
  /** The row of any run of the project changed. */
  inProject: (projectId: string) => `project/${projectId}/runs`,
  /** The row of any run changed. */
  any: 'runs',
  /** The stream has more, or its run is over. */
  stream: (streamId: number) => `stream/${streamId}`,
  /** A place in the queue is free, or somebody waits for one. */
  queue: 'queue',
} as const
