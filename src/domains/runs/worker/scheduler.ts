import { readdir, rm } from 'node:fs/promises'
import { kindOfId } from '../../../ids.ts'
import { outageOf } from '../../../outage.ts'
import { isErrno } from '../../../storage/errno.ts'
import { nodeTopics } from '../../compute-nodes/topics.ts'
import { deploymentTopics } from '../../deployments/lifecycle.ts'
import { removeLeftFolders } from '../deleted-runs.ts'
import { runTopics } from '../lifecycle.ts'
import { findLingering } from '../lingering.ts'
import { runPaths } from '../paths.ts'
import { givePlaces } from '../placement/places.ts'
import { OCCUPYING_STATUSES } from '../status.ts'
import { type AttendDependencies, attendRun } from './attend.ts'

/** Gives queued runs their places, on whatever node, and sees each through. */
export interface Scheduler {
  /** Takes up the runs that an earlier server left, then works until it is stopped. */
  start(): Promise<void>
  /** Leaves the processes alone: they go on, and the next server finds them. */
  stop(): Promise<void>
}

/** What may make a place free, or change what somebody waits for. */
const TOPICS = [runTopics.queue, nodeTopics.any, deploymentTopics.any]
/** How long what fails is not tried again, in ms. */
const RETRY_MS = 1000

/** The scheduler of a server. */
export function createScheduler(deps: AttendDependencies): Scheduler {
  const { database, signals, log } = deps
  const abort = new AbortController()
  const attending = new Map<string, Promise<void>>()
  let filling: Promise<void> | null = null
  let isDue = false
  let stopListening: (() => void)[] = []

  function attend(runId: string) {
    if (attending.has(runId)) return
    const done = attendRun(deps, runId, abort.signal)
      .catch((error: unknown) => log.error({ err: error, runId }, 'a run is not attended any more'))
      .finally(() => {
        attending.delete(runId)
        requestFill()
      })
    attending.set(runId, done)
  }

  /** Has the queue looked at once more, however often it is asked for meanwhile. */
  function requestFill() {
    isDue = true
    filling ??= fillPlaces()
      .catch((error: unknown) => {
        // Of a full disk there is one line elsewhere, not one a second here.
        if (!outageOf(error)) log.error({ err: error }, 'the queue could not be read; trying again')
        setTimeout(requestFill, RETRY_MS).unref()
      })
      .finally(() => {
        filling = null
        if (isDue && !abort.signal.aborted) requestFill()
      })
  }

  async function fillPlaces() {
    while (isDue && !abort.signal.aborted) {
      isDue = false
      await givePlaces({ database, signals }, attend)
    }
  }

  return {
    async start() {
      const left = await database.prisma.run.findMany({
        where: {
          OR: [
            { status: { in: OCCUPYING_STATUSES } },
            { status: 'LOST', id: { in: await findLingering(database.prisma) } },
          ],
        },
        select: { id: true },
      })
      if (left.length > 0) log.info({ runIds: left.map((run) => run.id) }, 'taking up runs again')
      for (const run of left) attend(run.id)
      stopListening = TOPICS.map((topic) => signals.listen(topic, requestFill))
      requestFill()
    },
    async stop() {
      for (const stop of stopListening) stop()
      abort.abort()
      await filling
      await Promise.all(attending.values())
    },
  }
}

/**
 * Removes the folders that a server was about to remove when it died, and those that it made for runs just
 * before, so that they have no row and were never started. Any other folder without a row is left alone: the database may be an older copy,
 * and the results in the folder all there is. Only before requests are served, because a new run has its
 * folder first.
 */
export async function sweepRunFolders(
  deps: Pick<AttendDependencies, 'database' | 'executor' | 'log' | 'runsDir'>,
): Promise<void> {
  await removeLeftFolders(deps)
  const runs = await deps.database.prisma.run.findMany({ select: { id: true } })
  const known = new Set(runs.map((run) => run.id))
  for (const name of await readdir(deps.runsDir)) {
    if (kindOfId(name) !== 'Run' || known.has(name)) continue
    const paths = runPaths(deps.runsDir, name)
    if (await wasStarted(paths.process)) {
      deps.log.warn({ folder: paths.root }, 'the folder of a run that does not exist is left alone')
    } else {
      await rm(paths.root, { recursive: true, force: true })
      deps.log.info({ folder: paths.root }, 'removed the folder of a run that was never made')
    }
  }
}

/** Whether anything was ever put into the supervisor's folder. @throws when that cannot be told */
async function wasStarted(processDir: string): Promise<boolean> {
  try {
    return (await readdir(processDir)).length > 0
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}
