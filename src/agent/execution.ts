import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Executor } from '../execution/executor.ts'
import { outageOf } from '../outage.ts'
import type { Room } from '../storage/room.ts'
import {
  type Assignment,
  type ExecutionPlace,
  launchSpecOf,
  placeOf,
  readAssignment,
  storeAssignment,
} from './assignment.ts'
import type { BringResult } from './bring-result.ts'
import type { Cache } from './cache.ts'
import type { Connection } from './connection.ts'
import { type EndReport, lost, toReportInput, unfinishedFilesOf, withdrawn } from './end-report.ts'
import { RefusedError } from './errors.ts'
import { followProcess } from './follow-process.ts'
import { InputGoneError, prepareInputs } from './inputs.ts'
import type { OrderInbox } from './order-inbox.ts'
import { createRelocator, reversed } from './relocate.ts'
import { createResults } from './results.ts'

/** What seeing executions through needs. */
export interface ExecutionDependencies {
  connection: Connection
  executor: Executor
  cache: Cache
  room: Pick<Room, 'findCut'>
  bring: BringResult
  log: Logger
  /** The folder of all executions. */
  executions: string
  /** Where commands reach the API from here. */
  apiUrl: string
  /** How long a file must not change before it counts as complete, in ms, while its command runs. */
  quietMs: number
}

/** How long to wait before looking again after something went wrong here, such as a full disk, in ms. */
const RETRY_MS = 1000
/** How long what goes on going wrong is not logged again, in ms. */
const QUIET_MS = 60_000
/** How often processes that are being killed are looked at, in ms. */
const KILL_POLL_MS = 100

/**
 * Sees an execution through, from whatever an earlier agent left: brings what its command reads, starts it once,
 * tells how it goes, ends it when it is to end, and removes it when the server is done with it.
 *
 * Ends early, leaving the processes alone, when `signal` aborts.
 */
export async function attendExecution(
  deps: ExecutionDependencies,
  inbox: OrderInbox,
  signal: AbortSignal,
): Promise<void> {
  const { executionId } = inbox.order()
  const log = deps.log.child({ executionId })
  let quietUntil = 0
  while (!signal.aborted) {
    try {
      if (inbox.discarded.aborted) return await discard({ ...deps, log }, executionId, signal)
      await attendOnce({ ...deps, log }, inbox, AbortSignal.any([signal, inbox.discarded]))
      if (!inbox.discarded.aborted) await inbox.changed(signal)
    } catch (error) {
      if (signal.aborted) return
      if (inbox.discarded.aborted && Object(error).name === 'AbortError') continue
      if (error instanceof RefusedError && error.code === 'NOT_FOUND') {
        return log.warn('the server knows nothing of this execution any more: it is left alone')
      }
      // Nothing is lost: the next round continues from what is stored.
      if (performance.now() >= quietUntil) {
        log.error({ err: error }, 'attending the execution failed; trying again')
        quietUntil = performance.now() + QUIET_MS
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Until the server knows how it ended. */
async function attendOnce(
  deps: ExecutionDependencies,
  inbox: OrderInbox,
  signal: AbortSignal,
): Promise<void> {
  const { connection, executor } = deps
  const { executionId } = inbox.order()
  const place = placeOf(deps.executions, executionId)

  async function tell(end: EndReport, assignment: Assignment | null): Promise<void> {
    const relocate = createRelocator(reversed(assignment?.relocations ?? []))
    const report = toReportInput(end, relocate)
    inbox.answer(await connection.report(async () => ({ executionId, report }), { signal }))
    deps.log.info({ state: end.state, exitCode: 'exitCode' in end ? end.exitCode : null }, 'it is over')
  }

  const { state } = await executor.inspect(place.process)
  const failure = state === 'absent' ? await start(deps, inbox, place, signal) : null
  if (failure) return tell(failure, null)
  const assignment =
    (await readAssignment(place)) ??
    (await storeAssignment(await connection.assignment(executionId, { signal }), place))
  const end = await follow(deps, inbox, place, assignment, signal)
  await tell(end, assignment)
}

/** Starts the command, of whose process nothing is known here; what it returns is why there is none. */
async function start(
  deps: ExecutionDependencies,
  inbox: OrderInbox,
  place: ExecutionPlace,
  signal: AbortSignal,
): Promise<EndReport | null> {
  const { executor, log } = deps
  const { executionId, wasStarted } = inbox.order()
  if (wasStarted) {
    if (!existsSync(place.process)) return lost('The node has no record of it.')
    // What still runs of it would hold its GPU for ever.
    await executor.terminate(place.process, { graceSeconds: 0 })
    return lost('The records of its process are gone from its folder.')
  }
  try {
    const wanted = AbortSignal.any([signal, inbox.ended])
    const assignment = await prepareInputs(deps, executionId, place, wanted)
    wanted.throwIfAborted()
    await executor.launch(launchSpecOf(assignment, place, deps.apiUrl))
    log.info('started')
    return null
  } catch (error) {
    signal.throwIfAborted()
    if (inbox.ended.aborted && Object(error).name === 'AbortError') return withdrawn()
    // It starts when there is room again; and of what the server does not answer, more is to come.
    if (outageOf(error) || error instanceof RefusedError) throw error
    log.warn({ err: error }, 'it could not be started')
    // So that what was under way all the same never starts a command that is said to have failed.
    await executor.terminate(place.process, { graceSeconds: 0 })
    const message = error instanceof Error ? error.message : String(error)
    const reason = error instanceof InputGoneError ? message : `It could not be started: ${message}`
    return { state: 'failed', reason, endedAt: new Date() }
  }
}

/** Brings what the command prints and leaves, and ends it when it is to end. @returns how it ended */
async function follow(
  deps: ExecutionDependencies,
  inbox: OrderInbox,
  place: ExecutionPlace,
  { output }: Assignment,
  signal: AbortSignal,
): Promise<EndReport> {
  const { executionId } = inbox.order()
  const over = new AbortController()
  const failed = new AbortController()
  const within = AbortSignal.any([signal, failed.signal])
  const results = output === null ? null : await createResults(deps, executionId, output, place, within)
  // When one of them fails, none goes on.
  const guarded = <T>(work: Promise<T>) =>
    work.catch((error: unknown) => {
      failed.abort(error)
      throw error
    })
  const ending = guarded(passEndOn(deps, inbox, place, AbortSignal.any([within, over.signal])))
  const bringing = guarded(results?.follow(over.signal) ?? Promise.resolve())
  const following = guarded(followProcess(deps, inbox, place, within).finally(() => over.abort()))
  await Promise.allSettled([ending, bringing, following])
  await Promise.all([ending, bringing])
  const end = await following
  await results?.finish(unfinishedFilesOf(end))
  return end
}

/** Asks the processes to end when that is wished, counting the grace from when it is first heard. */
async function passEndOn(
  { executor, log }: ExecutionDependencies,
  inbox: OrderInbox,
  place: ExecutionPlace,
  until: AbortSignal,
): Promise<void> {
  let passedOn: number | null = null
  while (!until.aborted) {
    const { wish, graceSeconds } = inbox.order()
    if (wish === 'END' && graceSeconds !== null && graceSeconds !== passedOn) {
      log.info({ graceSeconds }, 'its processes are to end')
      await executor.terminate(place.process, { graceSeconds })
      passedOn = graceSeconds
    } else {
      await inbox.changed(until)
    }
  }
}

/** Ends what is left of an execution that the server is done with, and removes it. */
async function discard(
  { connection, executor, executions, log }: ExecutionDependencies,
  executionId: string,
  signal: AbortSignal,
): Promise<void> {
  const place = placeOf(executions, executionId)
  if (existsSync(place.process)) {
    for (;;) {
      const { state } = await executor.inspect(place.process)
      if (state !== 'running' && state !== 'starting') break
      await executor.terminate(place.process, { graceSeconds: 0 })
      await sleep(KILL_POLL_MS, undefined, { signal })
    }
  }
  await rm(place.folder, { recursive: true, force: true, maxRetries: 3 })
  await connection.release(executionId, { signal }).catch((error: unknown) => {
    // It was told before, and the answer was lost.
    if (!(error instanceof RefusedError && error.code === 'NOT_FOUND')) throw error
  })
  log.info('removed what was left of it')
}
