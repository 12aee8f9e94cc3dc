import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { createCompletenessTracker } from '../execution/artifacts/completeness.ts'
import { findDeleted } from '../execution/artifacts/deleted.ts'
import { type Candidate, scanOutput } from '../execution/artifacts/scan.ts'
import type { Executor } from '../execution/executor.ts'
import { readFileIfAny, replaceFile } from '../execution/supervisor/atomic-file.ts'
import type { Room } from '../storage/room.ts'
import type { ExecutionPlace } from './assignment.ts'
import type { BringResult } from './bring-result.ts'
import type { Connection } from './connection.ts'

/** What bringing the results of a command needs. */
export interface ResultDependencies {
  connection: Connection
  executor: Executor
  room: Pick<Room, 'findCut'>
  bring: BringResult
  log: Logger
  /** How long a file must not change before it counts as complete, while the command runs. */
  quietMs: number
}

/** Brings what appears in the output folder of a command to the server, once it is complete. */
export interface Results {
  /** Brings what becomes complete, until `ended` is aborted. */
  follow(ended: AbortSignal): Promise<void>
  /** The command is over: brings all the rest but the files that were cut when it was killed. */
  finish(unfinishedFiles: string[]): Promise<void>
}

/** How often the output folder is looked at, in ms. */
const SCAN_MS = 1000

/** Continues where the last agent stopped. @param signal ends it all; what is under way fails with its reason */
export async function createResults(
  { connection, executor, room, bring, log, quietMs }: ResultDependencies,
  executionId: string,
  output: string,
  place: ExecutionPlace,
  signal: AbortSignal,
): Promise<Results> {
  const brought = new Map<string, string>(Object.entries(await readBrought(place)))
  const newTracker = () =>
    createCompletenessTracker({ quietMs, now: () => performance.now(), reported: brought })
  const tracker = newTracker()

  async function scan(): Promise<Candidate[]> {
    const candidates = await scanOutput(output, {
      onSkip: (path, reason) => log.debug({ path, reason }, 'left out of the scan for results'),
    })
    await removeDeleted(candidates)
    return candidates
  }

  /** A script that keeps only its last checkpoints deletes the others. */
  async function removeDeleted(candidates: Candidate[]): Promise<void> {
    const deleted = findDeleted(output, brought.keys(), candidates)
    if (deleted.length === 0) return
    await connection.removeResults(executionId, deleted, { signal })
    for (const name of deleted) brought.delete(name)
    await store()
  }

  async function bringAll(candidates: Candidate[]): Promise<void> {
    for (const candidate of candidates) {
      signal.throwIfAborted()
      if (await isCut(candidate)) continue
      if (!(await bring(executionId, candidate, signal))) continue
      brought.set(candidate.name, candidate.fingerprint)
      await store()
      log.info({ result: candidate.name, sizeBytes: candidate.sizeBytes }, 'brought a result')
    }
  }

  async function isCut({ files, name }: Candidate): Promise<boolean> {
    // What is gone meanwhile, bringing it finds out.
    const cut = await room.findCut(files).catch(() => null)
    if (cut !== null) log.warn({ path: cut, result: name }, 'was cut by the full disk: it is not brought')
    return cut !== null
  }

  const store = () => replaceFile(place.results, `${JSON.stringify(Object.fromEntries(brought))}\n`)

  return {
    async follow(ended) {
      const either = AbortSignal.any([ended, signal])
      while (!either.aborted) {
        const candidates = await scan()
        const changed = candidates.some(({ name, fingerprint }) => brought.get(name) !== fingerprint)
        if (changed) {
          const open = new Set(await executor.filesBeingWritten(place.process))
          await bringAll(tracker.observe(candidates, (path) => open.has(path)))
        }
        await sleep(SCAN_MS, undefined, { signal: either }).catch(() => undefined)
      }
    },
    async finish(unfinishedFiles) {
      // A new one, which knows nothing of what was complete before and could not be brought.
      await bringAll(newTracker().finish(await scan(), { unfinishedFiles }))
    },
  }
}

async function readBrought(place: ExecutionPlace): Promise<Record<string, string>> {
  const text = await readFileIfAny(place.results)
  return text === null ? {} : JSON.parse(text)
}
