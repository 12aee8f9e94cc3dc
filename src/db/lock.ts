import { join } from 'node:path'
import { createClient } from '@libsql/client'

/** Another process of the kind uses the data folder. */
export class DataFolderInUseError extends Error {
  override readonly name = 'DataFolderInUseError'
}

/**
 * Takes the data folder for this process. The lock is the operating system's, on a database file of its
 * own, so it ends with the process however the process ends.
 *
 * @param user what this process is: there may be one of each kind
 * @returns a function that gives the folder back.
 * @throws DataFolderInUseError when another process has it.
 */
export async function lockDataFolder(
  dataDir: string,
  user: 'server' | 'agent' = 'server',
): Promise<() => Promise<void>> {
  const client = createClient({ url: `file:${join(dataDir, `${user}.lock`)}` })
  try {
    await client.execute('BEGIN EXCLUSIVE')
  } catch (error) {
    client.close()
    if (error instanceof Error && /locked|busy/i.test(error.message)) {
      throw new DataFolderInUseError(`Another Trainyard ${user} is using the data folder ${dataDir}.`)
    }
    throw error
  }
  return async () => {
    // Closing alone frees the lock only when the driver's statements are collected.
    await client.execute('ROLLBACK')
    client.close()
  }
}
