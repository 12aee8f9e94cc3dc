import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchFolder } from '../../../execution/output/wake-on-change.ts'
import { outageOf } from '../../../outage.ts'
import { nodeTopics } from '../../compute-nodes/topics.ts'
import { inBackground } from '../../runs/worker/in-background.ts'
import { announceDeployment, graceOf } from '../lifecycle.ts'
import { deploymentFolder, processFolder } from '../paths.ts'
import type { AttendDependencies } from './dependencies.ts'
import { CHECK_MS, createHealthChecks } from './health-checks.ts'
import { launchModelServer } from './launch.ts'
import { conclude, type EndReport, noteLaunched, releasePlace } from './outcomes.ts'
import { readServer, type Server } from './read-server.ts'
import { createServerOutput } from './server-output.ts'

/** How often the folder of a process is looked at, in ms, where the operating system does not tell of changes. */
const POLL_MS = 500
/** How long new output may wait for more, in ms. */
const PACE_MS = 20
/** How often the database is asked what is wanted of a model server, in ms. */
const READ_MS = 1000
/** How long one that was replaced may take for the requests that it has, in ms. */
const DRAIN_MS = 60_000
/** How long to wait before looking again after something went wrong here, in ms. */
const RETRY_MS = 1000
/** How long what goes on going wrong is not logged again, in ms. */
const QUIET_MS = 60_000

/**
 * Sees a model server through to its end: starts its process unless that was done already, stores its output, checks
 * its health, starts it again when it crashes, and gives its place back when nothing of it is left. Everything it
 * needs is in the database and the process's folder, so it continues where an earlier server stopped.
 *
 * Ends early, leaving the process alone, when `signal` aborts.
 */
export async function attendModelServer(
  deps: AttendDependencies,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const log = deps.log.child({ modelServerId: id })
  let quietUntil = 0
  while (!signal.aborted) {
    try {
      const server = await readServer(deps.database, id)
      if (!server) return
      if (server.launchedAt === null && server.launchAt.getTime() > Date.now() && !server.ending) {
        const rest = Math.min(server.launchAt.getTime() - Date.now(), POLL_MS)
        await sleep(rest, undefined, { signal }).catch(() => undefined)
      } else await attendProcess({ ...deps, log }, server, signal)
    } catch (error) {
      // Nothing is lost: the next round continues from what is stored.
      if (performance.now() >= quietUntil) {
        log.error({ err: error }, 'attending a model server failed; trying again')
        quietUntil = performance.now() + QUIET_MS
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Follows one process of a model server to its end. */
async function attendProcess(deps: AttendDependencies, first: Server, signal: AbortSignal): Promise<void> {
  const { database, signals, executor } = deps
  const folder = processFolder(deps.deploymentsDir, first)
  const output = createServerOutput(deps, first, { folder, logStreamId: first.deployment.logStreamId })
  const health = createHealthChecks(deps, folder, signal)
  const checks = inBackground(() => health.check(), CHECK_MS.trying)
  const endIfAsked = createEndRelay(deps, folder)
  const changes = existsSync(folder) ? watchFolder(folder, () => undefined) : null
  let server = first
  let nextRead = performance.now() + READ_MS
  const stopListening = signals.listen(nodeTopics.changed(first.nodeId), () => {
    nextRead = 0
    // Why it waits may be that its node is not heard of.
    announceDeployment(signals, first.deployment)
  })
  try {
    await endIfAsked(server)
    while (!signal.aborted) {
      // Asked before the output is read, so that once it is over everything was there to be read.
      const report = existsSync(folder) ? await executor.inspect(folder) : { state: 'absent' as const }
      if (report.state === 'absent') {
        if (server.launchedAt !== null) return await end(lost())
        if (server.ending) return await release()
        const failure = await start(deps, server, folder)
        // The folder is there now, and is watched from the next round on.
        return failure ? await end(failure) : undefined
      }
      if (report.state === 'running') {
        if (server.pid !== report.pid) {
          await noteLaunched(database, server, report)
          announceDeployment(signals, server.deployment)
          server = (await readServer(deps.database, server.id)) ?? server
        }
        health.look(server)
        checks.tick()
      } else if (report.state !== 'starting') return await end(report)
      const more = await output.collect()
      if (performance.now() >= nextRead) {
        const found = await readServer(deps.database, server.id)
        if (!found) return
        server = found
        nextRead = performance.now() + READ_MS
        await endIfAsked(server)
      }
      if (!more) await changes?.wait({ paceMs: PACE_MS, pollMs: POLL_MS }, signal)
    }
  } finally {
    stopListening()
    changes?.close()
    await checks.idle()
    await output.close()
  }

  async function end(report: EndReport): Promise<void> {
    await checks.idle()
    await output.finish()
    await conclude(database, server, report, health.cause(), deps)
    deps.log.info({ deploymentId: server.deploymentId, report: report.state }, 'a model server has ended')
    // In this order: what has its folder yet is released at the next start, if there is none now.
    await executor.release(folder)
    await rm(folder, { recursive: true, force: true })
    await removeFolderOfNone(deps, server)
    announceDeployment(signals, server.deployment)
  }

  async function release(): Promise<void> {
    await releasePlace(database, server)
    announceDeployment(signals, server.deployment)
  }
}

/** Removes the folder of a deployment that went with its last model server. */
async function removeFolderOfNone(deps: AttendDependencies, { deploymentId }: Server): Promise<void> {
  if ((await deps.database.prisma.deployment.count({ where: { id: deploymentId } })) > 0) return
  await rm(deploymentFolder(deps.deploymentsDir, deploymentId), { recursive: true, force: true })
}

/** Starts the process, of which nothing is known in its folder; what it returns is why there is none. */
async function start(deps: AttendDependencies, server: Server, folder: string): Promise<EndReport | null> {
  try {
    await launchModelServer(deps, server)
    return null
  } catch (error) {
    // It starts when there is room again.
    if (outageOf(error)) throw error
    deps.log.warn({ err: error }, 'a model server could not be started')
    // So that what was under way all the same never starts a command that has failed.
    if (existsSync(folder)) await deps.executor.terminate(folder, { graceSeconds: 0 })
    const reason = error instanceof Error ? error.message : String(error)
    return { state: 'failed', reason, endedAt: new Date() }
  }
}

function lost(): EndReport {
  return {
    state: 'lost',
    reason: 'The records of its process are gone from its folder.',
    termination: null,
    cleanup: { killed: false, unfinishedFiles: [] },
  }
}

/**
 * Passes on that a model server is to end. Who wanted it does that too, but may have died in between; to ask twice
 * does no harm.
 */
function createEndRelay({ executor, load }: AttendDependencies, folder: string) {
  let passedOn: number | null = null
  let drainUntil = 0
  return async (server: Server): Promise<void> => {
    if (!server.ending || !existsSync(folder)) return
    if (server.retired && load.count(server.id) > 0) {
      drainUntil ||= performance.now() + DRAIN_MS
      if (performance.now() < drainUntil) return
    }
    const graceSeconds = graceOf(server)
    if (graceSeconds === passedOn) return
    await executor.terminate(folder, { graceSeconds })
    passedOn = graceSeconds
  }
}
