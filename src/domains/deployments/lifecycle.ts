import type { Transaction } from '../../db/database.ts'
import type { Deployment, Prisma } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { type DeploymentStatus, isActive, predecessorsOf, statusOfServers } from './status.ts'

/** What else changes with a status. */
export type TransitionData = Omit<Prisma.DeploymentUncheckedUpdateManyInput, 'id' | 'status'>

/** The topics that changes of deployments are announced under. */
export const deploymentTopics = {
  /** The row of one deployment, or that of one of its model servers, changed. */
  changed: (deploymentId: string) => `deployment/${deploymentId}`,
  /** The same of any deployment. */
  any: 'deployments',
  /** The stream of its log has more, or the deployment is deleted. */
  stream: (streamId: number) => `stream/${streamId}`,
  /** A model server was made, or is to end. */
  work: 'model-servers',
} as const

/** Tells everybody who watches a deployment that it changed. */
export function announceDeployment(signals: Signals, { id, logStreamId }: DeploymentKey): void {
  signals.notify(deploymentTopics.changed(id), id)
  signals.notify(deploymentTopics.any, id)
  signals.notify(deploymentTopics.stream(logStreamId))
}

/** By what a deployment is announced. */
export type DeploymentKey = Pick<Deployment, 'id' | 'logStreamId'>

/**
 * Moves a deployment to a status, if the table of transitions allows it from where it is now. Of several who try at
 * the same time one wins.
 *
 * @returns whether this call did it
 */
export async function transition(
  tx: Transaction,
  deploymentId: string,
  to: DeploymentStatus,
  at: Date,
  data: TransitionData = {},
): Promise<boolean> {
  const { count } = await tx.deployment.updateMany({
    where: { id: deploymentId, status: { in: predecessorsOf(to) } },
    data: { ...data, status: to, updatedAt: at },
  })
  return count > 0
}

/**
 * Brings the status of a deployment in line with its model servers, after one of them changed. One that is being
 * deleted goes with its last model server.
 *
 * @param reason why it is as it is now, for people
 */
export async function settle(
  tx: Transaction,
  deploymentId: string,
  at: Date,
  reason?: string | null,
): Promise<void> {
  const deployment = await tx.deployment.findUniqueOrThrow({
    where: { id: deploymentId },
    include: { modelServers: { select: { phase: true, ending: true } } },
  })
  const { status, modelServers } = deployment
  await tx.deployment.update({
    where: { id: deploymentId },
    data: { updatedAt: at, ...(reason !== undefined && { statusReason: reason }) },
  })
  if (modelServers.length === 0 && deployment.removing) return removeRows(tx, deployment)
  if (isActive(status)) {
    const to = statusOfServers(modelServers)
    const startedAt = deployment.startedAt ?? at
    await transition(tx, deploymentId, to, at, to === 'RUNNING' ? { startedAt } : {})
  } else if (modelServers.length === 0 && status === 'STOPPING') {
    await transition(tx, deploymentId, 'STOPPED', at, { stoppedAt: at })
  }
}

/** Removes a deployment with its log and all that is counted of it. */
export async function removeRows(tx: Transaction, { id, logStreamId }: DeploymentKey): Promise<void> {
  await tx.deployment.delete({ where: { id } })
  await tx.stream.delete({ where: { id: logStreamId } })
}

/** The grace of a stop that kills nothing: a hundred years, in s. */
const NEVER = 100 * 365 * 86_400

/** How long a model server that is to end may take before it is killed, in s. */
export function graceOf({ killAfterSeconds }: { killAfterSeconds: number | null }): number {
  return killAfterSeconds ?? NEVER
}

/** What the audit trail says of a deployment. */
export const targetOf = ({ id, name }: Deployment) => ({ kind: 'Deployment' as const, id, name })
