import { randomBytes } from 'node:crypto'
import type { Database, Transaction } from '../db/database.ts'
import { secretPurpose } from './sealed-columns.ts'
import type { Sealer } from './sealer.ts'

/** What the server signs, each with a key of its own. */
const SIGNED = ['session', 'download'] as const
const KEY_BYTES = 32

/** The keys that the server signs with: the tokens of sessions, and download links. */
export type SigningKeys = Record<(typeof SIGNED)[number], Uint8Array>

/**
 * Reads the signing keys, making those that are missing.
 *
 * @throws SecretsError when one does not open
 */
export async function loadSigningKeys(
  database: Database,
  sealer: Sealer,
  now: () => Date,
): Promise<SigningKeys> {
  const names = SIGNED.map(secretName)
  const stored = await database.prisma.secret.findMany({ where: { name: { in: names } } })
  const missing = names.filter((name) => !stored.some((secret) => secret.name === name))
  const made = missing.map((name) => newSecret(name, sealer, now()))
  if (made.length > 0) await database.transaction((tx) => tx.secret.createMany({ data: made }))

  const sealed = new Map([...stored, ...made].map((secret) => [secret.name, secret.sealed]))
  const keyFor = (signed: (typeof SIGNED)[number]) => {
    const name = secretName(signed)
    return new Uint8Array(Buffer.from(sealer.open(sealed.get(name) ?? '', secretPurpose(name)), 'base64url'))
  }
  return {
    session: keyFor('session'),
    download: keyFor('download'),
  }
}

/** Makes all signing keys anew: whatever was signed before does not count any more. */
export async function replaceSigningKeys(tx: Transaction, sealer: Sealer, now: Date): Promise<void> {
  for (const signed of SIGNED) {
    const { createdAt, ...secret } = newSecret(secretName(signed), sealer, now)
    await tx.secret.upsert({ where: { name: secret.name }, create: { ...secret, createdAt }, update: secret })
  }
}

function secretName(signed: string): string {
  return `signing-key ${signed}`
}

function newSecret(name: string, sealer: Sealer, now: Date) {
  const key = randomBytes(KEY_BYTES).toString('base64url')
  return { name, sealed: sealer.seal(key, secretPurpose(name)), createdAt: now, updatedAt: now }
}
