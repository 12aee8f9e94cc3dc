import type { Database, Transaction } from '../db/database.ts'
import type { EncryptionKey } from './encryption-key.ts'
import { SecretsError } from './errors.ts'
import type { KeyStore } from './key-store.ts'
import { keyIdsInUse, resealAll } from './sealed-columns.ts'
import { createSealer, type Sealer } from './sealer.ts'
import { loadSigningKeys, replaceSigningKeys, type SigningKeys } from './signing-keys.ts'

/** What the server has once its secrets are open. */
export interface Secrets {
  /** Seals further secrets, for columns that sealed-columns.ts lists. */
  sealer: Sealer
  signingKeys: SigningKeys
}

/** Where a rotation has got to; it may be cut short after each. */
export type RotationStep = 'proposed' | 're-sealed' | 'committed' | 'settled'

interface SecretsDependencies {
  database: Database
  store: KeyStore
  now?: () => Date
}

/**
 * Opens the secrets in the database, making key and signing keys at the first start.
 *
 * @throws SecretsError when the key is missing, open to others, or another than the one that sealed them
 */
export async function openSecrets({
  database,
  store,
  now = () => new Date(),
}: SecretsDependencies): Promise<Secrets> {
  const sealer = createSealer([await settleKey({ database, store })])
  return { sealer, signingKeys: await loadSigningKeys(database, sealer, now) }
}

/**
 * Replaces the key-encryption key: everything sealed is sealed anew, and the old key opens nothing any more.
 * However this is cut short, the next start (or rotation) finds the key that opens everything. The data folder
 * must be this process's alone.
 *
 * @param options.signing also makes new signing keys: ends all sessions and voids all links that were signed
 * @param options.alongside what else is written in the same transaction, given the id of the new key
 * @param options.reached hears of every step; for tests that end the process there
 * @returns the id of the new key and the number of values that are sealed with it
 * @throws SecretsError
 */
export async function rotateKeys({
  database,
  store,
  now = () => new Date(),
  signing,
  alongside = async () => undefined,
  reached = () => undefined,
}: SecretsDependencies & {
  signing: boolean
  alongside?: (tx: Transaction, keyId: string) => Promise<void>
  reached?: (step: RotationStep) => void
}): Promise<{ keyId: string; count: number }> {
  const current = await settleKey({ database, store })
  const next = await store.propose()
  reached('proposed')
  const sealer = createSealer([next, current])
  const count = await database.overwrite(async (tx) => {
    if (signing) await replaceSigningKeys(tx, sealer, now())
    const resealed = await resealAll(tx, sealer)
    await alongside(tx, next.id)
    reached('re-sealed')
    return resealed
  })
  // Should the transaction fail, the next key stays: whether it counts is seen in the database alone.
  reached('committed')
  await store.settle()
  reached('settled')
  return { keyId: next.id, count }
}

/** The key that opens everything, once the rest of a rotation that was cut short is done or undone. */
async function settleKey({ database, store }: SecretsDependencies): Promise<EncryptionKey> {
  const { current, next } = await store.read()
  const used = await keyIdsInUse(database.prisma)
  const foreign = [...used].filter((id) => id !== current?.id && id !== next?.id)
  if (foreign.length > 0) throw notTheKey(store, current, foreign)

  if (next && used.has(next.id)) {
    // Once more, because the kill may have left what the old key sealed in the files of the database.
    const sealer = createSealer(current ? [next, current] : [next])
    await database.overwrite((tx) => resealAll(tx, sealer))
    await store.settle()
    return next
  }
  if (next) await store.abandon()
  return current ?? store.create()
}

function notTheKey(store: KeyStore, current: EncryptionKey | null, used: string[]): SecretsError {
  const sealedWith = `The secrets in the database are sealed with the key ${used.join(' and ')}`
  const found = current ? `${store.name} is another one (${current.id})` : `${store.name} is missing`
  return new SecretsError(`${sealedWith}, but ${found}: put the right one back.`)
}
