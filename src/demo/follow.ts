import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiClient } from '../client/client.ts'
import {
  DemoCancelRunDocument,
  type DemoRunFragment,
  DemoRunLogsDocument,
  DemoRunMetricsDocument,
  DemoRunStatusDocument,
  DemoRunUpdatedDocument,
  type RunStatus,
} from '../generated/operations.ts'
import { expectResult } from './answers.ts'
import { DemoError } from './errors.ts'
import { showProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** What the script has to save its last checkpoint; it needs less than a second. */
const GRACE_SECONDS = 10
/** How long a cancelled run may take until it is over, when the demo cleans up behind itself. */
const OVER_MS = (GRACE_SECONDS + 5) * 1000
const POLL_MS = 200

const FINAL: readonly RunStatus[] = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST']

export interface FollowOptions {
  terminal: Terminal
  /** When it is aborted, the run is cancelled and the promise rejected. */
  signal: AbortSignal
  /** Asked at every change of the run: true cancels it. */
  cancelWhen?: (run: DemoRunFragment) => boolean
}

/**
 * Shows a run live, by its three streams, until it is over: where it is, what it prints, what it measures.
 * Whatever goes wrong meanwhile, the run does not stay behind.
 */
export async function followRun(api: ApiClient, runId: string, options: FollowOptions): Promise<void> {
  const { terminal, signal, cancelWhen = () => false } = options
  const view = showProgress(terminal)

  async function updates() {
    let cancelled = false
    for await (const { runUpdated: run } of api.watch(DemoRunUpdatedDocument, { runId })) {
      view.update({
        fraction: run.progress,
        status: run.status.toLowerCase(),
        step: run.step,
        totalSteps: run.totalSteps,
      })
      if (!cancelled && cancelWhen(run)) {
        cancelled = true
        await cancelRun(api, runId)
      }
    }
  }
  async function logs() {
    for await (const { runLogs } of api.watch(DemoRunLogsDocument, { runId })) {
      // On its standard output are the metrics, which are shown already.
      for (const { source, message } of runLogs.lines) if (source !== 'STDOUT') view.log(message)
    }
  }
  async function metrics() {
    const keys = ['loss', 'learning_rate']
    for await (const { runMetrics } of api.watch(DemoRunMetricsDocument, { runId, keys })) {
      for (const { key, value } of runMetrics.points) {
        view.update(key === 'loss' ? { loss: value } : { learningRate: value })
      }
    }
  }

  try {
    await unlessAborted(signal, Promise.all([updates(), logs(), metrics()]))
  } catch (error) {
    await endRun(api, runId, terminal)
    throw error
  } finally {
    view.end()
  }
}

async function cancelRun(api: ApiClient, runId: string): Promise<void> {
  const input = { runId, graceSeconds: GRACE_SECONDS }
  const { cancelRun } = await api.send(DemoCancelRunDocument, { input })
  // A ConflictError says that it is over: it was faster.
  if (cancelRun.__typename !== 'ConflictError') expectResult('cancel the run', cancelRun, 'Run')
}

/** Cancels a run that is not over, and waits until it is; says so when that cannot be done. */
async function endRun(api: ApiClient, runId: string, terminal: Terminal): Promise<void> {
  try {
    await cancelRun(api, runId)
    const deadline = Date.now() + OVER_MS
    for (;;) {
      const { run } = await api.send(DemoRunStatusDocument, { id: runId })
      if (!run || FINAL.includes(run.status)) return
      if (Date.now() > deadline) throw new DemoError(`it is still ${run.status}`)
      await sleep(POLL_MS)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    terminal.say(terminal.paint('error', `The training may go on, it could not be cancelled: ${reason}`))
  }
}

/** What the promise gives, unless the signal is aborted before that. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
