import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@libsql/client'
import { openDatabase } from '../../src/db/database.ts'
import { CONNECTION_PRAGMAS } from '../../src/db/sqlite.ts'

/** Trainyard's tables in a database that nobody else uses, and nothing between them and the driver. */
export interface BareDatabase extends AsyncDisposable {
  client: Client
}

/** A connection to the database file at `path`, set as the server sets its own. */
export async function connectBare(path: string): Promise<Client> {
  const client = createClient({ url: `file:${path}` })
  for (const pragma of CONNECTION_PRAGMAS) await client.execute(pragma)
  return client
}

/** A new database. */
export async function createBareDatabase(): Promise<BareDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-'))
  const path = join(folder, 'bare.db')
  // Creates the tables.
  await (await openDatabase(path)).close()
  const client = await connectBare(path)
  return {
    client,
    async [Symbol.asyncDispose]() {
      client.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
