import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { ConflictError, NotFoundError } from '../../errors.ts'
import type { Deployment } from '../../generated/prisma/client.ts'
import { waitFor } from '../../streams/wait.ts'
import { type Principal, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { requireChangeable } from './access.ts'
import type { DeploymentDependencies, DeploymentQuery } from './dependencies.ts'
import { DeploymentInput, StopDeploymentInput } from './inputs.ts'
import {
  announceDeployment,
  type DeploymentKey,
  deploymentTopics,
  graceOf,
  removeRows,
  settle,
  targetOf,
  transition,
} from './lifecycle.ts'
import { endServers, noteInLog } from './model-servers.ts'
import { deploymentFolder, processFolder } from './paths.ts'

/** How much longer than its grace something that is killed may take to be gone, in ms. */
const KILL_MS = 15_000

/** The ends of deployments: stopped, unloaded, deleted. */
export function createDeploymentEndings(deps: DeploymentDependencies) {
  const { database, signals, executor, now = () => new Date() } = deps
  const { prisma } = database
  const graceMs = deps.deploymentStopSeconds * 1000

  return {
    /**
     * Stops a deployment: SIGTERM to all processes, and SIGKILL at once when it is forced. Returns when they are gone.
     * When it is forced, what is on a node whose lease for work is over is given up.
     *
     * @throws NotFoundError, ForbiddenError, ConflictError when there is nothing to stop, or when they have not ended
     *   within the grace, in which case they are not killed, or when nothing is heard of their node
     */
    async stop(principal: Principal, input: unknown, query: DeploymentQuery = {}): Promise<Deployment> {
      const user = requireUser(principal, 'RUN')
      const { deploymentId, force } = parseInput(StopDeploymentInput, input)
      const { name } = await requestStop(user, deploymentId, force ? 0 : null)
      const end = await waitForEnd(deploymentId, graceMs + (force ? KILL_MS : 0))
      if (typeof end === 'object') {
        throw new ConflictError(
          `Compute node ${end.away} is not heard of: deployment ${name} is stopped when that is back. When it has not been heard of for TRAINYARD_RUN_LEASE_SECONDS, force gives up what it has.`,
        )
      }
      if (end === 'late') {
        throw new ConflictError(
          `Deployment ${name} has not ended within ${deps.deploymentStopSeconds} s after SIGTERM. It goes on being stopped; force kills it.`,
        )
      }
      const stopped = await prisma.deployment.findUnique({ ...query, where: { id: deploymentId } })
      if (!stopped) throw new NotFoundError('deployment', deploymentId)
      return stopped
    },
    requestStop,
    hasStopped,

    /**
     * Removes a deployment with its log; what still runs of it is ended first, and killed after the grace. Returns when
     * nothing is left, neither of its processes nor of its reservations. What is on a node whose lease for work is over
     * is given up.
     *
     * @returns the deployment as it was
     * @throws NotFoundError, ForbiddenError, ConflictError when its processes outlive even that, or nothing is heard of
     *   their node
     */
    async delete(principal: Principal, input: unknown, query: DeploymentQuery = {}): Promise<Deployment> {
      requireUser(principal, 'RUN')
      const { deploymentId } = parseInput(DeploymentInput, input)
      const { key, asItWas } = await database.transaction(async (tx) => {
        const found = await requireChangeable(tx, principal, deploymentId)
        const asItWas = await tx.deployment.findUniqueOrThrow({ ...query, where: { id: found.id } })
        await recordEvent(tx, principal, { action: 'DEPLOYMENT_DELETED', target: targetOf(found) })
        await tx.deployment.update({ where: { id: found.id }, data: { removing: true, unloaded: false } })
        await transition(tx, found.id, 'STOPPING', now())
        await endServers(tx, found.id, deps.deploymentStopSeconds)
        const count = await tx.modelServer.count({ where: { deploymentId: found.id } })
        if (count === 0) await removeRows(tx, found)
        return { key: { id: found.id, logStreamId: found.logStreamId }, asItWas }
      })
      await passOn(key)
      await giveUpLost(key)
      const end = await waitForEnd(key.id, graceMs + KILL_MS)
      if (end === 'over') {
        await rm(deploymentFolder(deps.deploymentsDir, key.id), { recursive: true, force: true })
        return asItWas
      }
      if (typeof end === 'object') {
        throw new ConflictError(
          `Compute node ${end.away} is not heard of: the deployment is removed when that is back.`,
        )
      }
      throw new ConflictError('The processes of this deployment do not end. It is removed when they do.')
    },

    /**
     * Stops a deployment that nobody uses; the next request for its model starts it again.
     *
     * @returns whether this did it
     */
    async unload(key: DeploymentKey, statusReason: string): Promise<boolean> {
      const isDone = await database.transaction(async (tx) => {
        if (!(await transition(tx, key.id, 'STOPPING', now(), { statusReason, unloaded: true }))) return false
        await noteInLog(database, tx, key, statusReason)
        await endServers(tx, key.id, deps.deploymentStopSeconds)
        await settle(tx, key.id, now())
        return true
      })
      if (isDone) await passOn(key)
      return isDone
    },
  }

  /**
   * Asks the processes of a deployment to end, and has them killed after a while, in seconds; null: never.
   *
   * @throws NotFoundError, ForbiddenError, ConflictError when there is nothing to stop
   */
  async function requestStop(
    user: UserPrincipal,
    deploymentId: string,
    killAfterSeconds: number | null,
  ): Promise<Deployment> {
    const by = user.username
    const deployment = await database.transaction(async (tx) => {
      const found = await requireChangeable(tx, user, deploymentId)
      if (found.status === 'FAILED' || (found.status === 'STOPPED' && !found.unloaded)) {
        throw new ConflictError(`Deployment ${found.name} is ${found.status}: there is nothing to stop.`)
      }
      const statusReason = `Stopped by ${by}.`
      const unloaded = false
      if (found.status === 'STOPPED' || found.status === 'STOPPING') {
        await tx.deployment.update({ where: { id: found.id }, data: { statusReason, unloaded } })
      } else {
        await transition(tx, found.id, 'STOPPING', now(), { statusReason })
        await noteInLog(database, tx, found, `Stop requested by ${by}.`)
      }
      await endServers(tx, found.id, killAfterSeconds)
      await recordEvent(tx, user, {
        action: 'DEPLOYMENT_STOPPED',
        target: targetOf(found),
        details: { force: killAfterSeconds === 0 },
      })
      await settle(tx, found.id, now())
      return found
    })
    await passOn(deployment)
    if (killAfterSeconds === 0) await giveUpLost(deployment)
    return deployment
  }

  /**
   * Gives up what is on nodes that have not been heard of for so long that they may never be again. If one is, its
   * agent ends what it still has.
   */
  async function giveUpLost(key: DeploymentKey): Promise<void> {
    const servers = await prisma.modelServer.findMany({
      where: { deploymentId: key.id },
      include: { node: true },
    })
    const lost = servers.filter(({ nodeId }) => deps.leases.isOver(nodeId))
    for (const server of lost) {
      await executor.release(processFolder(deps.deploymentsDir, server))
      await database.transaction(async (tx) => {
        const { count } = await tx.modelServer.deleteMany({ where: { id: server.id } })
        if (count === 0) return
        const what = `What compute node ${server.node.name} has of it is given up: nothing is heard of that.`
        await noteInLog(database, tx, key, what)
        await settle(tx, key.id, now())
      })
    }
    if (lost.length > 0) announceDeployment(signals, key)
  }

  /** Waits until the processes of a deployment are gone that is being stopped. @returns false when they are not in time */
  async function hasStopped(deploymentId: string, timeoutMs: number): Promise<boolean> {
    return (await waitForEnd(deploymentId, timeoutMs)) === 'over'
  }

  /** Waits for the end of a deployment, but not for that of a node that is not heard of. */
  async function waitForEnd(
    deploymentId: string,
    timeoutMs: number,
  ): Promise<'over' | 'late' | { away: string }> {
    const end = await waitFor(
      { signals, topic: deploymentTopics.changed(deploymentId), timeoutMs },
      async (): Promise<'over' | { away: string } | null> => {
        if ((await statusOf(deploymentId)) !== 'STOPPING') return 'over'
        const away = await awayNode(deploymentId)
        return away === null ? null : { away }
      },
    )
    return end ?? 'late'
  }

  /** The name of a node that has something of a deployment and is not heard of. */
  async function awayNode(deploymentId: string): Promise<string | null> {
    const found = await prisma.modelServer.findFirst({
      where: { deploymentId, node: { isOnline: false } },
      select: { node: { select: { name: true } } },
    })
    return found?.node.name ?? null
  }

  /** Asks the processes to end; those that are not asked because this server dies, the next one asks. */
  async function passOn(key: DeploymentKey): Promise<void> {
    announceDeployment(signals, key)
    const servers = await prisma.modelServer.findMany({ where: { deploymentId: key.id } })
    for (const server of servers) {
      const folder = processFolder(deps.deploymentsDir, server)
      if (existsSync(folder)) await executor.terminate(folder, { graceSeconds: graceOf(server) })
    }
  }

  async function statusOf(id: string): Promise<string | null> {
    const found = await prisma.deployment.findUnique({ where: { id }, select: { status: true } })
    return found?.status ?? null
  }
}
