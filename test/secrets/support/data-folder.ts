import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import type { EncryptionKey } from '../../../src/secrets/encryption-key.ts'
import { createKeyStore } from '../../../src/secrets/key-store.ts'
import { openSecrets, type Secrets } from '../../../src/secrets/secrets.ts'

/** Keys from the environment, for tests that give some. */
export interface GivenKeys {
  secretKey?: EncryptionKey
  newSecretKey?: EncryptionKey
}

/** A data folder of a test's own that no server uses. */
export interface TestDataFolder {
  path: string
  keyFile: string
  /** Where the key is, as the settings of a server on this folder say it. */
  store(keys?: GivenKeys): ReturnType<typeof createKeyStore>
  /** Uses its database and closes it again. */
  with<T>(use: (database: Database) => Promise<T>): Promise<T>
  /** Opens its secrets as a server does at its start. */
  open(keys?: GivenKeys): Promise<Secrets>
  remove(): Promise<void>
}

/** Makes an empty one. */
export async function createTestDataFolder(): Promise<TestDataFolder> {
  const path = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  const folder: TestDataFolder = {
    path,
    keyFile: join(path, 'secret.key'),
    store: ({ secretKey, newSecretKey } = {}) =>
      createKeyStore({ secretKey, newSecretKey, secretKeyFile: undefined, dataDir: path }),
    async with(use) {
      const database = await openDatabase(join(path, 'trainyard.db'))
      try {
        return await use(database)
      } finally {
        await database.close()
      }
    },
    open: (keys) => folder.with((database) => openSecrets({ database, store: folder.store(keys) })),
    remove: () => rm(path, { recursive: true, force: true }),
  }
  return folder
}
