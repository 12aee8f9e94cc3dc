import { join } from 'node:path'
import { type Database, openDatabase } from '../../src/db/database.ts'

/** Does something with the database of a test's server, which may be running. */
export async function inDatabase<T>(dataDir: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase(join(dataDir, 'trainyard.db'))
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}
