import { DomainError } from '../../errors.ts'
import type { Run } from '../../generated/prisma/client.ts'
import { asExpected } from '../../outage.ts'
import { waitFor } from '../../streams/wait.ts'
import type { UserPrincipal } from '../accounts/principal.ts'
import { storedObject } from '../input.ts'
import type { RequestedEnd } from '../runs/cancels.ts'
import { runTopics } from '../runs/lifecycle.ts'
import { storedWishes } from '../runs/placement/wishes.ts'
import { isFinal } from '../runs/status.ts'
import type { NodeOperationDependencies } from './operation-dependencies.ts'

/** What can become of a run on a node that something is done with. */
export const RUN_OUTCOMES = ['UNTOUCHED', 'CANCELLING', 'ENDED', 'RESUMED', 'STARTED_ANEW'] as const

/** What became of a run. */
export interface RunOutcome {
  runId: string
  outcome: (typeof RUN_OUTCOMES)[number]
  /** The run that goes on with it. */
  successorId: string | null
  message: string | null
}

/** What can become of a deployment. */
export const DEPLOYMENT_OUTCOMES = ['UNTOUCHED', 'STOPPING', 'STOPPED', 'RESTARTED'] as const

/** What became of a deployment. */
export interface DeploymentOutcome {
  deploymentId: string
  outcome: (typeof DEPLOYMENT_OUTCOMES)[number]
  message: string | null
}

/** How much longer than its grace something that is killed may take to be gone, in ms. */
const KILL_MS = 15_000

/** Waits for the end of a run and continues it from its newest checkpoint, or starts it anew without one. */
export async function restartRun(
  deps: NodeOperationDependencies,
  user: UserPrincipal,
  { run: { id: runId }, graceSeconds }: RequestedEnd,
): Promise<RunOutcome> {
  const over = await waitFor(
    {
      signals: deps.signals,
      topic: runTopics.changed(runId),
      timeoutMs: graceSeconds * 1000 + KILL_MS,
    },
    async () => {
      const run = await deps.database.prisma.run.findUnique({ where: { id: runId } })
      return !run || isFinal(run.status) ? { run } : null
    },
  )
  const stays = (outcome: RunOutcome['outcome'], message: string) => {
    return { runId, outcome, successorId: null, message }
  }
  if (!over) return stays('CANCELLING', 'It has not ended yet: resume it when it has.')
  const { run } = over
  if (!run) return stays('ENDED', 'It was deleted meanwhile.')
  if (run.status === 'SUCCEEDED' || run.status === 'FAILED') {
    return stays('ENDED', `It ended by itself (${run.status}): it is not started again.`)
  }
  try {
    return await startAgain(deps, user, run)
  } catch (error) {
    const expected = asExpected(error)
    if (expected instanceof DomainError) return stays('ENDED', `It is not started again: ${expected.message}`)
    throw error
  }
}

async function startAgain(
  { runs }: NodeOperationDependencies,
  user: UserPrincipal,
  run: Run,
): Promise<RunOutcome> {
  if (run.checkpointCount > 0 || run.resumedFromId !== null) {
    const successor = await runs.resume(user, { runId: run.id })
    return { runId: run.id, outcome: 'RESUMED', successorId: successor.id, message: null }
  }
  const { nodeId, labels } = storedWishes(run)
  const successor = await runs.start(user, {
    project: run.projectId,
    model: run.model,
    datasetName: run.datasetName,
    hyperparameters: storedObject(run.hyperparameters),
    resources: storedObject(run.resources),
    placement: { node: nodeId, labels: Object.entries(labels).map(([name, value]) => ({ name, value })) },
    priority: run.priority,
  })
  const message = 'It had saved no checkpoint.'
  return { runId: run.id, outcome: 'STARTED_ANEW', successorId: successor.id, message }
}

/** Waits for the end of a deployment that is being stopped, and starts it again. */
export async function restartDeployment(
  { deployments }: NodeOperationDependencies,
  user: UserPrincipal,
  deploymentId: string,
  graceSeconds: number,
): Promise<DeploymentOutcome> {
  if (!(await deployments.hasStopped(deploymentId, graceSeconds * 1000 + KILL_MS))) {
    return { deploymentId, outcome: 'STOPPING', message: 'It has not ended yet: start it when it has.' }
  }
  try {
    await deployments.start(user, { deploymentId })
    return { deploymentId, outcome: 'RESTARTED', message: null }
  } catch (error) {
    const expected = asExpected(error)
    if (!(expected instanceof DomainError)) throw error
    return { deploymentId, outcome: 'STOPPED', message: `It is not started again: ${expected.message}` }
  }
}
