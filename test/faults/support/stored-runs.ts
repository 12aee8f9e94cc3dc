import { SurvivalRunsDocument, type SurvivalRunsQuery } from '../../../src/generated/operations.ts'
import type { ApiClient } from '../../support/client.ts'
import { until } from '../../support/until.ts'

/** What the server says of a run. */
export type StoredRun = SurvivalRunsQuery['runs']['edges'][number]['node']

const FINAL = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST']

/** All runs of a project, the latest first. */
export async function storedRuns(api: ApiClient, project: string): Promise<StoredRun[]> {
  const runs: StoredRun[] = []
  for (let after: string | null = null; ; ) {
    const page: SurvivalRunsQuery = await api.send(SurvivalRunsDocument, { project, after })
    runs.push(...page.runs.edges.map((edge) => edge.node))
    if (!page.runs.pageInfo.hasNextPage) return runs
    after = page.runs.pageInfo.endCursor ?? null
  }
}

/** All runs of a project once they are over. */
export function endedRuns(api: ApiClient, project: string, timeoutMs?: number): Promise<StoredRun[]> {
  const ended = async () => {
    const runs = await storedRuns(api, project)
    return runs.every((run) => FINAL.includes(run.status)) && runs
  }
  return until('all runs to be over', ended, timeoutMs)
}

/** How many runs there are, altogether and of each status. */
export function countByStatus(runs: StoredRun[]): Record<string, number> {
  const counts: Record<string, number> = { runs: runs.length }
  for (const { status } of runs) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
