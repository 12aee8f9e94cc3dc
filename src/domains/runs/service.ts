import { latestFirst } from '../../db/pages.ts'
import type { Prisma, Run } from '../../generated/prisma/client.ts'
import { type Principal, requireReporter, requireUser } from '../accounts/principal.ts'
import { visibleRuns } from './access.ts'
import { createRunBatches } from './batches.ts'
import { createRunCancels } from './cancels.ts'
import { removeFolders } from './deleted-runs.ts'
import type { RunDependencies, RunQuery } from './dependencies.ts'
import { matchingRuns, type RunFilter } from './filter.ts'
import { runTopics } from './lifecycle.ts'
import { createRunStarts } from './starts.ts'

type RunListQuery = Pick<Prisma.RunFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

export type RunService = ReturnType<typeof createRunService>

/** Runs as people see them: started, watched, cancelled, resumed. The worker does what is written here. */
export function createRunService(deps: RunDependencies) {
  const { database, signals, executor, runsDir } = deps
  const { prisma } = database
  const starts = createRunStarts(deps)
  const cancels = createRunCancels(deps)

  const selected = (principal: Principal, filter: RunFilter | null | undefined) => ({
    AND: [visibleRuns(principal), matchingRuns(filter)],
  })

  return {
    ...starts,
    ...cancels,
    ...createRunBatches(deps, { ...starts, ...cancels }),

    /** A run by id; null when there is none. The process of a run sees that run only. */
    async find(principal: Principal, id: string, query: RunQuery = {}): Promise<Run | null> {
      requireReporter(principal, id, 'READ')
      return prisma.run.findFirst({ ...query, where: { AND: [{ id }, visibleRuns(principal)] } })
    },

    /** Runs that match, newest first. */
    async list(
      principal: Principal,
      filter: RunFilter | null | undefined,
      query: RunListQuery = {},
    ): Promise<Run[]> {
      requireUser(principal, 'READ')
      return prisma.run.findMany(latestFirst(query, selected(principal, filter)))
    },

    async count(principal: Principal, filter: RunFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.run.count({ where: selected(principal, filter) })
    },

    /**
     * Removes what the runs of a deleted project left on disk, and tells who watches them. Their rows, and
     * that of the project, must be gone.
     */
    async discard(projectId: string, runIds: string[]): Promise<void> {
      await removeFolders({ database, executor, runsDir }, runIds)
      for (const id of runIds) signals.notify(runTopics.changed(id))
      signals.notify(runTopics.inProject(projectId))
      signals.notify(runTopics.any)
    },
  }
}
