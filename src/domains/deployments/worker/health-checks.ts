import { announceDeployment } from '../lifecycle.ts'
import { serverUrl } from '../places/address.ts'
import { settingsOf } from '../settings.ts'
import type { AttendDependencies } from './dependencies.ts'
import { findHealthProblem } from './health.ts'
import { forgiveCrashes, giveUp, noteAway, noteBack, noteHealthy, noteUnhealthy } from './outcomes.ts'
import { readServer, type Server } from './read-server.ts'

/** How often the health of a model server is checked, in ms: until it is healthy, and then. */
export const CHECK_MS = { trying: 250, healthy: 2000 }
/** So many checks in a row that fail make it unhealthy: one may be lost in a moment of load. */
const FAILURES = 2

/** Checks the health of a model server, and writes down what changes. */
export function createHealthChecks(deps: AttendDependencies, folder: string, signal: AbortSignal) {
  const { database, signals, executor, deploymentHost, deploymentStartSeconds, deploymentStopSeconds } = deps
  let latest: Server | null = null
  let nextCheck = 0
  let failures = 0
  let cause: string | null = null
  let isAway = false

  /** Ends the process, so that another follows. */
  async function replace(why: string): Promise<void> {
    cause = why
    await executor.terminate(folder, { graceSeconds: deploymentStopSeconds })
  }

  /** @returns whether there is news */
  async function note(server: Server, problem: string | null): Promise<boolean> {
    const isLate = Date.now() - server.tryingSince.getTime() > deploymentStartSeconds * 1000
    if (problem === null) {
      if (server.phase === 'HEALTHY') {
        await forgiveCrashes(database, server)
        return false
      }
      if (await executor.isPortOfStranger(folder, server.port)) {
        await replace(`Another program listens on port ${server.port}.`)
        return false
      }
      await noteHealthy(database, server, deps)
      return true
    }
    if (server.phase === 'HEALTHY') {
      failures++
      if (failures < FAILURES) return false
      await noteUnhealthy(database, server, problem)
      return true
    }
    if (!isLate) return false
    if (server.phase === 'LAUNCHED') await giveUp(database, server, problem, deps)
    else await replace(`It was not healthy for ${deploymentStartSeconds} s: ${problem}.`)
    return true
  }

  /** Of what runs on a node that is not heard of, nothing is known: it is not asked, and the time does not count. */
  async function noteNode(server: Server): Promise<boolean> {
    const was = isAway
    isAway = !server.node.isOnline
    if (isAway === was) return false
    failures = 0
    if (isAway) await noteAway(database, server, server.node)
    else await noteBack(database, server)
    return true
  }

  const problemOf = ({ node, port, settings }: Server): Promise<string | null> | string => {
    const url = serverUrl(node, port, deploymentHost)
    if (url === null) return `nobody knows the address of compute node ${node.name}`
    return findHealthProblem(url + settingsOf(settings).healthPath, signal)
  }

  return {
    /** What is known of the model server now. */
    look(server: Server) {
      latest = server
    },
    /** Why the process was ended from here; null when it was not. */
    cause: () => cause,
    async check(): Promise<void> {
      if (!latest || latest.ending || cause !== null) return
      if (await noteNode(latest)) {
        nextCheck = 0
        announceDeployment(signals, latest.deployment)
      }
      if (isAway || performance.now() < nextCheck) return
      const problem = await problemOf(latest)
      if (signal.aborted) return
      const server = await readServer(database, latest.id)
      if (!server || server.ending || !server.node.isOnline) return
      if (problem === null) failures = 0
      nextCheck = performance.now() + (server.phase === 'HEALTHY' && problem === null ? CHECK_MS.healthy : 0)
      if (await note(server, problem)) announceDeployment(signals, server.deployment)
    },
  }
}
