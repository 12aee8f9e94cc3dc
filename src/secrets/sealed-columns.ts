import type { Transaction } from '../db/database.ts'
import { SecretsError } from './errors.ts'
import { type Sealer, sealingKeyId } from './sealer.ts'

/** A column of the database that holds sealed text. */
interface SealedColumn {
  /** What a value is sealed for. @param id of its row */
  purpose(id: string): string
  /** Its values with the ids of their rows; without those that are null. */
  read(reader: Reader): Promise<{ id: string; sealed: string }[]>
  write(tx: Transaction, id: string, sealed: string): Promise<unknown>
}

type Reader = Pick<Transaction, 'secret' | 'launcher' | 'engine' | 'webhook'>

/** What the secrets of the server itself are sealed for. */
export const secretPurpose = (name: string) => `secret ${name}`

/** What the environment of a launcher is sealed for. */
export const launcherPurpose = (id: string) => `environment ${id}`

/** What the environment of an engine is sealed for. */
export const enginePurpose = (id: string) => `environment ${id}`

/** What the secret of a webhook is sealed for. */
export const webhookPurpose = (id: string) => `webhook ${id}`

/**
 * Every column that holds sealed text. What is not listed here is lost when the key is rotated: whoever adds
 * such a column adds it here.
 */
const SEALED_COLUMNS: SealedColumn[] = [
  {
    purpose: secretPurpose,
    read: async (reader) =>
      (await reader.secret.findMany()).map(({ name, sealed }) => ({ id: name, sealed })),
    write: (tx, name, sealed) => tx.secret.update({ where: { name }, data: { sealed } }),
  },
  {
    purpose: launcherPurpose,
    async read(reader) {
      const launchers = await reader.launcher.findMany({ select: { id: true, environment: true } })
      return launchers.flatMap(({ id, environment }) =>
        environment === null ? [] : [{ id, sealed: environment }],
      )
    },
    write: (tx, id, environment) => tx.launcher.update({ where: { id }, data: { environment } }),
  },
  {
    purpose: enginePurpose,
    async read(reader) {
      const engines = await reader.engine.findMany({ select: { id: true, environment: true } })
      return engines.flatMap(({ id, environment }) =>
        environment === null ? [] : [{ id, sealed: environment }],
      )
    },
    write: (tx, id, environment) => tx.engine.update({ where: { id }, data: { environment } }),
  },
  {
    purpose: webhookPurpose,
    async read(reader) {
      const webhooks = await reader.webhook.findMany({ select: { id: true, secret: true } })
      return webhooks.map(({ id, secret }) => ({ id, sealed: secret }))
    },
    write: (tx, id, secret) => tx.webhook.update({ where: { id }, data: { secret } }),
  },
]

/**
 * The ids of the keys that the values in the database are sealed with.
 *
 * @throws SecretsError when one is no sealed value
 */
export async function keyIdsInUse(reader: Reader): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const column of SEALED_COLUMNS) {
    for (const { id, sealed } of await column.read(reader)) {
      const keyId = sealingKeyId(sealed)
      if (keyId === null) {
        throw new SecretsError(`What the database has as "${column.purpose(id)}" is no sealed value.`)
      }
      ids.add(keyId)
    }
  }
  return ids
}

/**
 * Opens every sealed value and seals it anew.
 *
 * @returns how many there are
 * @throws SecretsError when one does not open; nothing is lost, because the transaction fails with it
 */
export async function resealAll(tx: Transaction, sealer: Sealer): Promise<number> {
  let count = 0
  for (const column of SEALED_COLUMNS) {
    for (const { id, sealed } of await column.read(tx)) {
      const purpose = column.purpose(id)
      await column.write(tx, id, sealer.seal(sealer.open(sealed, purpose), purpose))
      count++
    }
  }
  return count
}
