import type { Connection } from '../../db/statements.ts'

/** The directory of a run's process, as executions of other nodes are stored with it. */
const directoryOf = (runId: string) => `runs/${runId}/process`
const DIRECTORY = /^runs\/([^/]+)\/process$/

/** The runs of which another node may still tell something. */
export async function findLingering(on: Connection): Promise<string[]> {
  const executions = await on.execution.findMany({ where: { isSettled: false }, select: { directory: true } })
  return executions.flatMap(({ directory }) => DIRECTORY.exec(directory)?.[1] ?? [])
}

/** Whether a run that was given up may still go on, on a node that is not heard of. */
export async function isLingering(
  on: Connection,
  { id, status }: { id: string; status: string },
): Promise<boolean> {
  if (status !== 'LOST') return false
  return (await on.execution.count({ where: { directory: directoryOf(id), isSettled: false } })) > 0
}
