import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Transaction } from '../../../db/database.ts'
import { type FolderWatch, watchFolder } from '../../../execution/output/wake-on-change.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import { outageOf } from '../../../outage.ts'
import type { Room } from '../../../storage/room.ts'
import { appendLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import type { Leases } from '../../compute-nodes/agents/leases.ts'
import { runTopics, transition } from '../lifecycle.ts'
import { type RunPaths, runPaths } from '../paths.ts'
import { announceRun } from '../reporting.ts'
import { isFinal } from '../status.ts'
import { type ArtifactCollector, createArtifactCollector } from './artifact-collector.ts'
import { type BackgroundWork, inBackground } from './in-background.ts'
import { type LaunchDependencies, launchRun } from './launch.ts'
import { type EndReport, type Outcome, outcomeOf } from './outcome.ts'
import { createOutputCollector, type OutputCollector } from './output-collector.ts'

/** What it takes to see a run through. */
export interface AttendDependencies extends LaunchDependencies {
  leases: Pick<Leases, 'isOver'>
  signals: Signals
  room: Room
  log: Logger
  runsDir: string
  cancelGraceSeconds: number
  artifactQuietMs: number
}

/** How often the output of a run is looked at, in ms, where the operating system does not tell that there is more. */
const POLL_MS = 100
/** How long new output may wait for more, in ms: a process that prints all the time is stored 50 times a second. */
const PACE_MS = 20
/** How often its output folder is looked at, in ms. */
const SCAN_MS = 1000
/** How often the database is asked for a cancel that was not passed on, in ms. */
const RELAY_MS = 1000
/** How long to wait before looking again after something went wrong here, such as a full disk, in ms. */
const RETRY_MS = 1000
/** How long what goes on going wrong is not logged again, in ms. */
const QUIET_MS = 60_000

/**
 * Sees a run that has a place in the queue through to its end: starts its process unless that was done
 * already, stores its output, records its artifacts, and writes down how it ended. Everything it needs is
 * in the database and the run's folder, so it continues where an earlier server stopped.
 *
 * Ends early, leaving the process alone, when `signal` aborts.
 */
export async function attendRun(deps: AttendDependencies, runId: string, signal: AbortSignal): Promise<void> {
  const log = deps.log.child({ runId })
  let quietUntil = 0
  while (!signal.aborted) {
    try {
      const run = await deps.database.prisma.run.findUnique({ where: { id: runId } })
      // Of one that was given up there may be more to come.
      if (!run || (isFinal(run.status) && run.status !== 'LOST')) return
      if (await attendOnce({ ...deps, log }, run, signal)) return
    } catch (error) {
      // Nothing is lost: the next round continues from what is stored.
      if (performance.now() >= quietUntil) {
        log.error({ err: error }, 'attending the run failed; trying again')
        quietUntil = performance.now() + QUIET_MS
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** @returns whether all is done: how it ended is written down */
async function attendOnce(deps: AttendDependencies, run: Run, signal: AbortSignal): Promise<boolean> {
  const paths = runPaths(deps.runsDir, run.id)
  const output = await createOutputCollector(deps, run, paths.process)
  const artifacts = await createArtifactCollector({ ...deps, quietMs: deps.artifactQuietMs }, run, paths)
  // Beside the rest, because the checksum of a large checkpoint takes a minute.
  const scans = inBackground(() => artifacts.collect(signal), SCAN_MS)
  const changes = watchFolder(paths.process, (err) => {
    deps.log.info({ err }, 'the output is polled: the system does not tell of changes')
  })
  try {
    const report = await followProcess(deps, run, paths, { output, changes, scans }, signal)
    await scans.done()
    if (!report) return false
    await conclude(deps, run, report, { output, artifacts })
    await deps.executor.release(paths.process)
    return true
  } finally {
    changes.close()
    await scans.idle()
    await output.close()
  }
}

/** Follows the process of a run to its end; null when that is still to come and `signal` aborts. */
async function followProcess(
  deps: AttendDependencies,
  run: Run,
  paths: RunPaths,
  { output, changes, scans }: { output: OutputCollector; changes: FolderWatch; scans: BackgroundWork },
  signal: AbortSignal,
): Promise<EndReport | null> {
  const relayCancel = createCancelRelay(deps, run.id, paths)
  let { startedAt } = run
  let isGivenUp = run.status === 'LOST'
  let nextRelay = 0
  while (!signal.aborted) {
    // Asked before the output is read, so that once it is over everything was there to be read.
    const report = await deps.executor.inspect(paths.process)
    if (performance.now() >= nextRelay) {
      await relayCancel()
      if (!isGivenUp && run.nodeId !== null && deps.leases.isOver(run.nodeId)) {
        isGivenUp = await giveUp(deps, run, run.nodeId)
      }
      nextRelay = performance.now() + RELAY_MS
    }
    if (report.state === 'absent') {
      const failure = await startProcess(deps, run, paths, startedAt !== null)
      if (failure) return failure
    } else if (report.state === 'running') {
      if (startedAt === null) await becomeRunning(deps, run, report.startedAt)
      startedAt = report.startedAt
    } else if (report.state !== 'starting') {
      return report
    }
    const more = await output.collect()
    scans.tick()
    if (!more) await changes.wait({ paceMs: PACE_MS, pollMs: POLL_MS }, signal)
  }
  return null
}

/**
 * Passes a stored cancel on to the processes. Who stored it does that too, but may have died, or found the
 * disk full, in between; to ask twice does no harm.
 */
function createCancelRelay(deps: AttendDependencies, runId: string, paths: RunPaths): () => Promise<void> {
  let passedOn: number | null = null
  return async () => {
    const { status, graceSeconds: requested } = await deps.database.prisma.run.findUniqueOrThrow({
      where: { id: runId },
      select: { status: true, graceSeconds: true },
    })
    const graceSeconds = requested ?? deps.cancelGraceSeconds
    if (status !== 'CANCELLING' || graceSeconds === passedOn || !existsSync(paths.process)) return
    await deps.executor.terminate(paths.process, { graceSeconds })
    passedOn = graceSeconds
  }
}

/** Gives up a run whose node is not heard of any more. What comes of it later is still written down. */
async function giveUp(deps: AttendDependencies, run: Run, nodeId: string): Promise<boolean> {
  const { database, signals, log } = deps
  const at = new Date()
  const lost = await database.transaction(async (tx) => {
    const node = await tx.computeNode.findUnique({ where: { id: nodeId }, select: { name: true } })
    const statusReason = `Nothing was heard of compute node ${node?.name ?? nodeId} for longer than its lease.`
    const changed = await transition(tx, run.id, 'LOST', at, { statusReason, finishedAt: at })
    if (changed) await appendLogLines(database, tx, run.logStreamId, [systemLine(at, 'ERROR', statusReason)])
    return changed
  })
  if (!lost) return false
  log.warn({ nodeId }, 'the run is given up: its node is not heard of')
  announceEnd(signals, run)
  return true
}

/** Starts the process, of which nothing is known in its folder; what it returns is why there is none. */
async function startProcess(
  deps: AttendDependencies,
  run: Run,
  paths: RunPaths,
  wasStarted: boolean,
): Promise<EndReport | null> {
  const folderIsThere = existsSync(paths.process)
  if (wasStarted || !folderIsThere) {
    // What still runs of it would hold its GPU for ever; that its folder is gone, its supervisor sees itself.
    if (folderIsThere) await deps.executor.terminate(paths.process, { graceSeconds: deps.cancelGraceSeconds })
    return {
      state: 'lost',
      reason: 'The records of its process are gone from its folder.',
      termination: null,
      cleanup: { killed: false, unfinishedFiles: [] },
    }
  }
  try {
    await launchRun(deps, run, paths)
    return null
  } catch (error) {
    // It starts when there is room again.
    if (outageOf(error)) throw error
    deps.log.warn({ err: error }, 'the run could not be started')
    // So that what was under way all the same never starts the command of a run that has failed.
    await deps.executor.terminate(paths.process, { graceSeconds: 0 })
    const reason = error instanceof Error ? error.message : String(error)
    return { state: 'failed', reason: `It could not be started: ${reason}`, endedAt: new Date() }
  }
}

async function becomeRunning(deps: AttendDependencies, run: Run, startedAt: Date): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const changed = await transition(tx, run.id, 'RUNNING', new Date(), { startedAt })
    if (!changed) await tx.run.update({ where: { id: run.id }, data: { startedAt } })
  })
  deps.log.info({ startedAt }, 'the run is running')
  announceRun(deps.signals, run)
}

async function conclude(
  deps: AttendDependencies,
  run: Run,
  report: EndReport,
  { output, artifacts }: { output: OutputCollector; artifacts: ArtifactCollector },
): Promise<void> {
  const { database, signals, log } = deps
  await output.finish()
  const failed = report.state === 'exited' && report.exitCode !== 0
  const outcome = outcomeOf(report, failed ? await output.lastErrorLine() : null, new Date())
  if (failed && deps.room.wasFullAt(report.endedAt)) {
    outcome.statusReason += ' The disk was full at that time: what it had to say may be missing.'
  }
  await artifacts.finish(outcome.unfinishedFiles)
  const changed = await database.transaction(async (tx) => {
    // A command that was over before anyone looked has been running all the same.
    if (outcome.startedAt) await transition(tx, run.id, 'RUNNING', new Date(), {})
    await tx.gpuReservation.deleteMany({ where: { runId: run.id } })
    const lateResult = await lateResultOf(tx, run, report, outcome)
    await appendLogLines(database, tx, run.logStreamId, [
      ...remarks(outcome),
      ...(lateResult === null ? [] : [systemLine(outcome.finishedAt, 'WARNING', lateResult)]),
    ])
    return transition(tx, run.id, outcome.status, new Date(), {
      statusReason: outcome.statusReason,
      exitCode: outcome.exitCode,
      finishedAt: outcome.finishedAt,
      ...(outcome.startedAt && { startedAt: outcome.startedAt }),
      ...(outcome.status === 'SUCCEEDED' && { progress: 1 }),
    })
  })
  log.info({ status: outcome.status, exitCode: outcome.exitCode, changed }, 'the run is over')
  announceEnd(signals, run)
}

/** Tells everyone who watches a run, or its streams, that it is over. */
function announceEnd(signals: Signals, run: Run): void {
  announceRun(signals, run)
  signals.notify(runTopics.stream(run.logStreamId))
  signals.notify(runTopics.stream(run.metricStreamId))
}

/** Writes down how a run ended that was given up before; null for all others. */
async function lateResultOf(
  tx: Transaction,
  run: Run,
  report: EndReport,
  { status, exitCode }: Outcome,
): Promise<string | null> {
  const { status: before } = await tx.run.findUniqueOrThrow({ where: { id: run.id } })
  if (before !== 'LOST' || report.state === 'lost') return null
  const how = exitCode === null ? '' : ` (exit code ${exitCode})`
  const lateResult = `Its node was heard of again, and told that the command had come to be ${status}${how}. The run stays LOST.`
  await tx.run.update({ where: { id: run.id }, data: { lateResult, exitCode, updatedAt: new Date() } })
  return lateResult
}

/** What Trainyard has to say in the log of a run that did not simply succeed. */
function remarks({ status, statusReason, unfinishedFiles, finishedAt }: Outcome) {
  const line = (level: 'WARNING' | 'ERROR', message: string) => systemLine(finishedAt, level, message)
  return [
    ...(statusReason === null ? [] : [line(status === 'CANCELLED' ? 'WARNING' : 'ERROR', statusReason)]),
    ...unfinishedFiles.map((path) =>
      line('WARNING', `${path} was being written when it was killed: it is not kept as an artifact.`),
    ),
  ]
}

function systemLine(timestamp: Date, level: 'WARNING' | 'ERROR', message: string) {
  return { timestamp, level, source: 'SYSTEM' as const, message }
}
