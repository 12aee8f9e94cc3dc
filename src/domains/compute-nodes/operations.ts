import type { Transaction } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'
import type { ComputeNode, Deployment, Run } from '../../generated/prisma/client.ts'
import { type Principal, requireAdministrator, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { ACTIVE_STATUSES } from '../deployments/status.ts'
import { parseInput } from '../input.ts'
import type { RequestedEnd } from '../runs/cancels.ts'
import { findLingering } from '../runs/lingering.ts'
import { OCCUPYING_STATUSES } from '../runs/status.ts'
import { requireNode } from './find.ts'
import { type NodeOperation, OperateComputeNodeInput } from './inputs.ts'
import type { NodeOperationDependencies } from './operation-dependencies.ts'
import { type DeploymentOutcome, type RunOutcome, restartDeployment, restartRun } from './restarts.ts'
import type { NodeMode } from './status.ts'
import { announceNode } from './topics.ts'

/** What an operation came to. */
export interface ComputeNodeOperation {
  computeNodeId: string
  runs: RunOutcome[]
  deployments: DeploymentOutcome[]
}

const MODE_AFTER: Record<NodeOperation, NodeMode> = {
  START: 'ACTIVE',
  RESTART: 'ACTIVE',
  DRAIN: 'DRAINING',
  STOP: 'STOPPED',
}

/** Has nodes take work, finish it, end it, or begin it again. */
export function createNodeOperations(deps: NodeOperationDependencies) {
  const { database, signals, now = () => new Date() } = deps

  return {
    /**
     * START takes new work; DRAIN takes none, and goes on with what is there; STOP takes none and ends what is there;
     * RESTART ends what is there, takes new work, and starts again what it ended: returns when that is done.
     *
     * @throws ForbiddenError but for administrators, NotFoundError, ValidationError, ConflictError for the RESTART of
     *   a node that is not heard of
     */
    async operate(principal: Principal, input: unknown): Promise<ComputeNodeOperation> {
      const user = requireAdministrator(principal)
      const { computeNodeId, operation, graceSeconds } = parseInput(OperateComputeNodeInput, input)
      const isEnd = operation === 'STOP' || operation === 'RESTART'
      const { runs, deployments, ends } = await database.transaction(async (tx) => {
        const node = await requireNode(tx, computeNodeId)
        if (operation === 'RESTART' && !node.isOnline) {
          throw new ConflictError(`Compute node ${node.name} is OFFLINE: what it has ends when it is back.`)
        }
        const work = await workOn(tx, computeNodeId)
        // In one transaction with the mode, so that none gets a place here in between.
        const ends: RequestedEnd[] = []
        for (const run of isEnd ? work.runs : []) {
          ends.push(await deps.runs.requestEnd(tx, user, run, graceSeconds ?? deps.cancelGraceSeconds))
        }
        await setMode(tx, user, node, operation)
        return { ...work, ends }
      })
      announceNode(signals, computeNodeId)
      if (!isEnd) {
        return {
          computeNodeId,
          runs: runs.map((run) => ({ runId: run.id, outcome: 'UNTOUCHED', ...NOTHING_MORE })),
          deployments: deployments.map(({ id }) => ({
            deploymentId: id,
            outcome: 'UNTOUCHED',
            message: null,
          })),
        }
      }
      const isRestart = operation === 'RESTART'
      const [ofRuns, ofDeployments] = await Promise.all([
        Promise.all(ends.map((end) => endRun(user, end, isRestart))),
        Promise.all(
          deployments.map((deployment) =>
            endDeployment(user, deployment, graceSeconds ?? deps.deploymentStopSeconds, isRestart),
          ),
        ),
      ])
      return { computeNodeId, runs: ofRuns, deployments: ofDeployments }
    },
  }

  async function setMode(
    tx: Transaction,
    user: UserPrincipal,
    { id, name }: ComputeNode,
    operation: NodeOperation,
  ) {
    await tx.computeNode.update({ where: { id }, data: { mode: MODE_AFTER[operation], updatedAt: now() } })
    await recordEvent(tx, user, {
      action: 'COMPUTE_NODE_OPERATED',
      target: { kind: 'ComputeNode', id, name },
      details: { operation },
    })
  }

  async function endRun(user: UserPrincipal, end: RequestedEnd, isRestart: boolean): Promise<RunOutcome> {
    const { run, graceSeconds } = end
    await deps.runs.passOnEnd(end)
    if (!isRestart) {
      const message = `Its processes have ${graceSeconds} s to end.`
      return { runId: run.id, outcome: 'CANCELLING', ...NOTHING_MORE, message }
    }
    if (run.status === 'CANCELLING') {
      const message = 'It was being cancelled already, and is not started again.'
      return { runId: run.id, outcome: 'CANCELLING', ...NOTHING_MORE, message }
    }
    if (run.status === 'LOST') {
      const message = 'It was given up before, and is not started again.'
      return { runId: run.id, outcome: 'CANCELLING', ...NOTHING_MORE, message }
    }
    return restartRun(deps, user, end)
  }

  async function endDeployment(
    user: UserPrincipal,
    { id, status }: Deployment,
    graceSeconds: number,
    isRestart: boolean,
  ): Promise<DeploymentOutcome> {
    await deps.deployments.requestStop(user, id, graceSeconds)
    if (isRestart && status !== 'STOPPING') return restartDeployment(deps, user, id, graceSeconds)
    const message = `Its processes have ${graceSeconds} s to end.`
    return { deploymentId: id, outcome: 'STOPPING', message }
  }
}

/** The runs and deployments that have, or may have, processes on a node. */
async function workOn(tx: Transaction, nodeId: string): Promise<{ runs: Run[]; deployments: Deployment[] }> {
  const runs = await tx.run.findMany({
    where: {
      nodeId,
      OR: [{ status: { in: OCCUPYING_STATUSES } }, { status: 'LOST', id: { in: await findLingering(tx) } }],
    },
    orderBy: { id: 'asc' },
  })
  const deployments = await tx.deployment.findMany({
    where: { modelServers: { some: { nodeId } }, status: { in: [...ACTIVE_STATUSES, 'STOPPING'] } },
    orderBy: { id: 'asc' },
  })
  return { runs, deployments }
}

const NOTHING_MORE = { successorId: null, message: null }
