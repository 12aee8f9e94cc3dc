import { pathToFileURL } from 'node:url'
import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import { createCompletenessTracker } from '../../../execution/artifacts/completeness.ts'
import { type Candidate, scanOutput } from '../../../execution/artifacts/scan.ts'
import type { Executor } from '../../../execution/executor.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import type { Signals } from '../../../streams/signals.ts'
import { readContents } from '../../artifacts/contents.ts'
import { recordArtifact } from '../../artifacts/service.ts'
import type { RunPaths } from '../paths.ts'
import { announceRun } from '../reporting.ts'

/** Records what appears in the output folder of a run as its artifacts, once it is complete. */
export interface ArtifactCollector {
  /** Records what has become complete since the last time. */
  collect(): Promise<void>
  /** The process is over: records all the rest but the files that were cut when it was killed. */
  finish(unfinishedFiles: string[]): Promise<void>
}

/** A collector that continues where the last server stopped. */
export async function createArtifactCollector(
  deps: { database: Database; signals: Signals; executor: Executor; log: Logger; quietMs: number },
  run: Run,
  paths: RunPaths,
): Promise<ArtifactCollector> {
  const { database, signals, executor, log, quietMs } = deps
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
    const present = new Set(candidates.map((candidate) => candidate.name))
    const deleted = [...known.keys()].filter((name) => !present.has(name))
    if (deleted.length === 0) return
    await database.transaction(async (tx) => {
      await tx.artifact.deleteMany({ where: { runId: run.id, name: { in: deleted }, tags: { none: {} } } })
      const checkpointCount = await tx.artifact.count({ where: { runId: run.id, type: 'CHECKPOINT' } })
      await tx.run.update({ where: { id: run.id }, data: { checkpointCount, updatedAt: new Date() } })
    })
    for (const name of deleted) known.delete(name)
    announceRun(signals, run)
  }

  async function record(complete: Candidate[]) {
    for (const candidate of complete) {
      const contents = await readContents(candidate.path)
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

  return {
    async collect() {
      const candidates = await scan()
      const changed = candidates.some(({ name, fingerprint }) => known.get(name) !== fingerprint)
      if (!changed) return
      const open = new Set(await executor.filesBeingWritten(paths.process))
      await record(tracker.observe(candidates, (path) => open.has(path)))
    },
    async finish(unfinishedFiles) {
      await record(tracker.finish(await scan(), { unfinishedFiles }))
    },
  }
}
