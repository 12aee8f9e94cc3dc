import { RunsActiveDocument, RunTryCancelDocument } from '../../src/generated/operations.ts'
import type { ApiClient } from './client.ts'
import { until } from './until.ts'

/** Ends every run of a server at once, so that a test leaves no process behind whatever became of it. */
export async function endRuns(api: ApiClient): Promise<void> {
  const active = async () => (await api.send(RunsActiveDocument, {})).runs.edges.map((edge) => edge.node)
  for (const { id } of await active()) {
    await api.send(RunTryCancelDocument, { input: { runId: id, graceSeconds: 0 } })
  }
  await until('all runs to end', async () => (await active()).length === 0)
}
