import { join } from 'node:path'
import { type EncryptionKey, newEncryptionKey } from './encryption-key.ts'
import { SecretsError } from './errors.ts'
import { createKeyFile, type KeyFile } from './key-file.ts'

/**
 * Where the key-encryption key is kept, and during a rotation the next one beside it: which of the two counts is
 * told by the values in the database, which are sealed with one of them.
 */
export interface KeyStore {
  /** What the operator knows it by, e.g. the path of its file. */
  readonly name: string
  /** The keys that are there. @throws SecretsError when one cannot be read or is none */
  read(): Promise<{ current: EncryptionKey | null; next: EncryptionKey | null }>
  /** Makes the first key. @throws SecretsError */
  create(): Promise<EncryptionKey>
  /** Chooses the next key; it is there for good when this resolves. @throws SecretsError */
  propose(): Promise<EncryptionKey>
  /** The next key takes the place of the current one, which is gone. */
  settle(): Promise<void>
  /** Forgets the next key, which has sealed nothing. */
  abandon(): Promise<void>
}

/** The settings that say where the key is. */
export interface KeySettings {
  /** The key itself; then there is no file. */
  secretKey: EncryptionKey | undefined
  /** The next one, for a rotation. */
  newSecretKey: EncryptionKey | undefined
  /** @default secret.key in the data folder */
  secretKeyFile: string | undefined
  dataDir: string
}

/** The store that the settings ask for. */
export function createKeyStore(settings: KeySettings): KeyStore {
  const { secretKey, newSecretKey, dataDir, secretKeyFile = join(dataDir, 'secret.key') } = settings
  return secretKey
    ? environmentKeyStore(secretKey, newSecretKey)
    : fileKeyStore(createKeyFile(secretKeyFile), createKeyFile(`${secretKeyFile}.next`), newSecretKey)
}

/** In the environment the operator keeps the keys, and changes them when a rotation is done. */
function environmentKeyStore(current: EncryptionKey, next: EncryptionKey | undefined): KeyStore {
  return {
    name: 'TRAINYARD_SECRET_KEY',
    read: async () => ({ current, next: next ?? null }),
    create: async () => current,
    async propose() {
      if (next) return next
      throw new SecretsError(
        'The key is in the environment, so the new one must be too: set TRAINYARD_NEW_SECRET_KEY to 32 random bytes, such as those that "openssl rand -base64 32" prints.',
      )
    },
    settle: async () => undefined,
    abandon: async () => undefined,
  }
}

function fileKeyStore(file: KeyFile, nextFile: KeyFile, given: EncryptionKey | undefined): KeyStore {
  return {
    name: file.path,
    read: async () => ({ current: await file.read(), next: await nextFile.read() }),
    create: () => file.create(newEncryptionKey()),
    async propose() {
      const next = given ?? newEncryptionKey()
      await nextFile.replace(next)
      return next
    },
    settle: () => nextFile.moveTo(file.path),
    abandon: () => nextFile.remove(),
  }
}
