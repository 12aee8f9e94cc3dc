import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ExecutionReport } from '../../../execution/executor.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import { appendLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import { runTopics, transition } from '../lifecycle.ts'
import { type RunPaths, runPaths } from '../paths.ts'
import { announceRun } from '../reporting.ts'
import { isFinal } from '../status.ts'
import { type ArtifactCollector, createArtifactCollector } from './artifact-collector.ts'
import { type LaunchDependencies, launchRun } from './launch.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { createOutputCollector, type OutputCollector } from './output-collector.ts'

/** What it takes to see a run through. */
export interface AttendDependencies extends LaunchDependencies {
  signals: Signals
  log: Logger
  runsDir: string
  cancelGraceSeconds: number
  artifactQuietMs: number
}

/** How often the output of a run is looked at, in ms: what a watcher of its log waits at most. */
const POLL_MS = 100
/** How often its output folder is looked at, in ms. */
const SCAN_MS = 1000
/** How long to wait before looking again after something went wrong here, such as a full disk, in ms. */
const RETRY_MS = 1000

/**
 * Sees a run that has a place in the queue through to its end: starts its process unless that was done
 * already, stores its output, records its artifacts, and writes down how it ended. Everything it needs is
 * in the database and the run's folder, so it continues where an earlier server stopped.
 *
 * Ends early, leaving the process alone, when `signal` aborts.
 */
export async function attendRun(deps: AttendDependencies, runId: string, signal: AbortSignal): Promise<void> {
  const log = deps.log.child({ runId })
  let failures = 0
  while (!signal.aborted) {
    const run = await deps.database.prisma.run.findUnique({ where: { id: runId } }).catch(() => undefined)
    if (run === null || (run && isFinal(run.status))) return
    try {
      if (run) await attendOnce({ ...deps, log }, run, signal)
      failures = 0
    } catch (error) {
      // Nothing is lost: the next round continues from what is stored.
      if (failures++ === 0) log.error({ err: error }, 'attending the run failed; trying again')
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

async function attendOnce(deps: AttendDependencies, run: Run, signal: AbortSignal): Promise<void> {
  const paths = runPaths(deps.runsDir, run.id)
  if (run.status === 'CANCELLING') {
    // The server that was asked may have died before it passed the request on.
    const graceSeconds = run.graceSeconds ?? deps.cancelGraceSeconds
    await deps.executor.terminate(paths.process, { graceSeconds })
  }
  const output = await createOutputCollector(deps, run, paths.process)
  const artifacts = await createArtifactCollector({ ...deps, quietMs: deps.artifactQuietMs }, run, paths)
  try {
    await followProcess(deps, run, paths, { output, artifacts }, signal)
  } finally {
    await output.close()
  }
}

async function followProcess(
  deps: AttendDependencies,
  run: Run,
  paths: RunPaths,
  collectors: { output: OutputCollector; artifacts: ArtifactCollector },
  signal: AbortSignal,
): Promise<void> {
  let known = run.status
  let nextScan = 0
  while (!signal.aborted) {
    // Asked before the output is read, so that once it is over everything was there to be read.
    const report = await inspectOrLaunch(deps, run, paths)
    if (report.state === 'running' && known === 'STARTING') {
      known = 'RUNNING'
      await becomeRunning(deps, run, report.startedAt)
    }
    if (report.state !== 'starting' && report.state !== 'running') {
      await conclude(deps, run, report, collectors)
      return
    }
    const more = await collectors.output.collect()
    if (performance.now() >= nextScan) {
      await collectors.artifacts.collect()
      nextScan = performance.now() + SCAN_MS
    }
    if (!more) await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

type PresentReport = Exclude<ExecutionReport, { state: 'absent' }>

/** What became of the process; it is started when nobody has done that yet. */
async function inspectOrLaunch(deps: AttendDependencies, run: Run, paths: RunPaths): Promise<PresentReport> {
  const report = await deps.executor.inspect(paths.process)
  if (report.state !== 'absent') return report
  if (run.status === 'RUNNING') {
    return {
      state: 'lost',
      reason: 'The records of its process are gone from its folder.',
      termination: null,
      cleanup: { killed: false, unfinishedFiles: [] },
    }
  }
  try {
    await launchRun(deps, run, paths)
  } catch (error) {
    deps.log.warn({ err: error }, 'the run could not be started')
    const reason = error instanceof Error ? error.message : String(error)
    return { state: 'failed', reason: `It could not be started: ${reason}`, endedAt: new Date() }
  }
  return { state: 'starting' }
}

async function becomeRunning(deps: AttendDependencies, run: Run, startedAt: Date): Promise<void> {
  const changed = await deps.database.transaction((tx) =>
    transition(tx, run.id, 'RUNNING', new Date(), { startedAt }),
  )
  if (!changed) await deps.database.prisma.run.update({ where: { id: run.id }, data: { startedAt } })
  deps.log.info({ startedAt }, 'the run is running')
  announceRun(deps.signals, run)
}

async function conclude(
  deps: AttendDependencies,
  run: Run,
  report: Exclude<PresentReport, { state: 'starting' | 'running' }>,
  { output, artifacts }: { output: OutputCollector; artifacts: ArtifactCollector },
): Promise<void> {
  const { database, signals, log } = deps
  await output.finish()
  const outcome = outcomeOf(report, output.lastErrorLine(), new Date())
  await artifacts.finish(outcome.unfinishedFiles)
  const changed = await database.transaction(async (tx) => {
    // A command that was over before anyone looked has been running all the same.
    if (outcome.startedAt) await transition(tx, run.id, 'RUNNING', new Date(), {})
    await appendLogLines(database, tx, run.logStreamId, remarks(outcome))
    return transition(tx, run.id, outcome.status, new Date(), {
      statusReason: outcome.statusReason,
      exitCode: outcome.exitCode,
      finishedAt: outcome.finishedAt,
      ...(outcome.startedAt && { startedAt: outcome.startedAt }),
      ...(outcome.status === 'SUCCEEDED' && { progress: 1 }),
    })
  })
  log.info({ status: outcome.status, exitCode: outcome.exitCode, changed }, 'the run is over')
  announceRun(signals, run)
  signals.notify(runTopics.stream(run.logStreamId))
  signals.notify(runTopics.stream(run.metricStreamId))
}

/** What Trainyard has to say in the log of a run that did not simply succeed. */
function remarks({ status, statusReason, unfinishedFiles, finishedAt }: Outcome) {
  const line = (level: 'WARNING' | 'ERROR', message: string) => {
    return { timestamp: finishedAt, level, source: 'SYSTEM' as const, message }
  }
  return [
    ...(statusReason === null ? [] : [line(status === 'CANCELLED' ? 'WARNING' : 'ERROR', statusReason)]),
    ...unfinishedFiles.map((path) =>
      line('WARNING', `${path} was being written when it was killed: it is not kept as an artifact.`),
    ),
  ]
}
