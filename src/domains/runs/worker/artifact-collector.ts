import { pathToFileURL } from 'node:url'
import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import { createCompletenessTracker } from '../../../execution/artifacts/completeness.ts'
import { findDeleted } from '../../../execution/artifacts/deleted.ts'
import { type Candidate, scanOutput } from '../../../execution/artifacts/scan.ts'
import { UNREADABLE_CODES } from '../../../execution/artifacts/unreadable.ts'
import type { Executor } from '../../../execution/executor.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import { isErrno } from '../../../storage/errno.ts'
import type { Room } from '../../../storage/room.ts'
import { appendLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import { readContents } from '../../artifacts/contents.ts'
import { recordArtifact } from '../../artifacts/service.ts'
import { runTopics } from '../lifecycle.ts'
import type { RunPaths } from '../paths.ts'
import { announceRun } from '../reporting.ts'

/** Records what appears in the output folder of a run as its artifacts, once it is complete. */
export interface ArtifactCollector {
  /** Records what has become complete since the last time; stops between two of them when `signal` aborts. */
  collect(signal: AbortSignal): Promise<void>
  /** The process is over: records all the rest but the files that were cut when it was killed. */
  finish(unfinishedFiles: string[]): Promise<void>
}

/** A collector that continues where the last server stopped. */
export async function createArtifactCollector(
  deps: {
    database: Database
    signals: Signals
    executor: Executor
    room: Room
    log: Logger
    quietMs: number
  },
  run: Run,
  paths: RunPaths,
): Promise<ArtifactCollector> {
  const { database, signals, executor, room, log, quietMs } = deps
  const recorded = await database.prisma.artifact.findMany({
    where: { runId: run.id, fingerprint: { not: null } },
    select: { name: true, fingerprint: true },
  })
  const known = new Map(recorded.map(({ name, fingerprint }) => [name, fingerprint ?? '']))
  const tracker = createCompletenessTracker({ quietMs, now: () => performance.now(), reported: known })

  const scan = async () => {
    const candidates = await scanOutput(paths.output, {
      onSkip: (path, reason) => log.debug({ path, reason }, 'left out of the scan for artifacts'),
    })
    await forgetDeleted(candidates)
    return candidates
  }

  /** A script that keeps only its last checkpoints deletes the others: then they are no artifacts any more. */
  async function forgetDeleted(candidates: Candidate[]) {
    const deleted = findDeleted(paths.output, known.keys(), candidates)
    if (deleted.length === 0) return
    await database.transaction(async (tx) => {
      await tx.artifact.deleteMany({ where: { runId: run.id, name: { in: deleted }, tags: { none: {} } } })
      const checkpointCount = await tx.artifact.count({ where: { runId: run.id, type: 'CHECKPOINT' } })
      await tx.run.update({ where: { id: run.id }, data: { checkpointCount, updatedAt: new Date() } })
    })
    for (const name of deleted) known.delete(name)
    announceRun(signals, run)
  }

  async function record(complete: Candidate[], signal?: AbortSignal) {
    for (const candidate of complete) {
      if (signal?.aborted) return
      const found = await readIfPossible(candidate)
      if (!found) continue
      const { cut, ...contents } = found
      if (cut !== null) {
        await remark(`${cut} was being written when the disk was full: it is not kept as an artifact.`)
        known.set(candidate.name, candidate.fingerprint)
        continue
      }
      await database.transaction((tx) =>
        recordArtifact(tx, run.id, new Date(), {
          ...contents,
          name: candidate.name,
          type: candidate.type,
          step: candidate.step,
          uri: pathToFileURL(candidate.path).href,
          fingerprint: candidate.fingerprint,
        }),
      )
      known.set(candidate.name, candidate.fingerprint)
      announceRun(signals, run)
    }
  }

  /** One file that cannot be read must keep neither the others nor the end of the run from being recorded. */
  async function readIfPossible({ path, files }: Candidate) {
    try {
      return { cut: await room.findCut(files), ...(await readContents(path)) }
    } catch (error) {
      if (!isErrno(error, ...UNREADABLE_CODES, 'CONFLICT')) throw error
      log.warn({ err: error, path }, 'a file cannot be read: it is not kept as an artifact')
      return null
    }
  }

  async function remark(message: string) {
    await database.transaction((tx) =>
      appendLogLines(database, tx, run.logStreamId, [
        { timestamp: new Date(), level: 'WARNING', source: 'SYSTEM', message },
      ]),
    )
    signals.notify(runTopics.stream(run.logStreamId))
  }

  return {
    async collect(signal) {
      const candidates = await scan()
      const changed = candidates.some(({ name, fingerprint }) => known.get(name) !== fingerprint)
      if (!changed) return
      const open = new Set(await executor.filesBeingWritten(paths.process))
      await record(
        tracker.observe(candidates, (path) => open.has(path)),
        signal,
      )
    },
    async finish(unfinishedFiles) {
      await record(tracker.finish(await scan(), { unfinishedFiles }))
    },
  }
}
