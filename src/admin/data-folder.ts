import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, openDatabase } from '../db/database.ts'
import { DataFolderInUseError, lockDataFolder } from '../db/lock.ts'
import { AdminError } from './errors.ts'

/**
 * Opens the database of the data folder for as long as `use` takes, beside a server that may be running.
 *
 * @throws AdminError when no server has ever kept anything there
 */
export async function withDatabase<T>(dataDir: string, use: (database: Database) => Promise<T>): Promise<T> {
  const path = await databaseIn(dataDir)
  const database = await openDatabase(path)
  try {
    return await use(database)
  } finally {
    await database.close()
  }
}

/**
 * The same, with the data folder to itself.
 *
 * @throws AdminError also when a server runs
 */
export async function withStoppedServer<T>(
  dataDir: string,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  await databaseIn(dataDir)
  const unlock = await lockDataFolder(dataDir).catch((error: unknown) => {
    if (!(error instanceof DataFolderInUseError)) throw error
    throw new AdminError(`A Trainyard server is using the data folder ${dataDir}: stop it first.`)
  })
  try {
    return await withDatabase(dataDir, use)
  } finally {
    await unlock()
  }
}

async function databaseIn(dataDir: string): Promise<string> {
  const path = join(dataDir, 'trainyard.db')
  await access(path).catch((error: unknown) => {
    throw new AdminError(
      `There is no Trainyard data in ${dataDir}: TRAINYARD_DATA_DIR says where to look for it.`,
      { cause: error },
    )
  })
  return path
}
