import { rm } from 'node:fs/promises'
import type { Database } from '../../db/database.ts'
import type { Executor } from '../../execution/executor.ts'
import { outageOf } from '../../outage.ts'
import { runPaths } from './paths.ts'

/** Where the folders of runs are, and which of them are to go. */
interface Folders {
  executor: Pick<Executor, 'release'>
  database: Database
  runsDir: string
}

/** Removes the folders of runs whose rows are gone and that are noted as deleted. */
export async function removeFolders(
  { database, executor, runsDir }: Folders,
  runIds: string[],
): Promise<void> {
  for (const id of runIds) {
    const paths = runPaths(runsDir, id)
    await executor.release(paths.process)
    await rm(paths.root, { recursive: true, force: true })
  }
  try {
    await database.transaction((tx) => tx.deletedRun.deleteMany({ where: { runId: { in: runIds } } }))
  } catch (error) {
    // The next start tries again; what matters is done.
    if (!outageOf(error)) throw error
  }
}

/** Removes the folders that a server was about to remove when it died. */
export async function removeLeftFolders(folders: Folders): Promise<void> {
  const left = await folders.database.prisma.deletedRun.findMany()
  if (left.length === 0) return
  await removeFolders(
    folders,
    left.map(({ runId }) => runId),
  )
}
