import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { EncryptionKey } from './encryption-key.ts'
import { SecretsError } from './errors.ts'

const CIPHER = 'aes-256-gcm'
/** 96 bits, the length that GCM is made for; at random, which is safe for 2^32 values under one key (NIST SP 800-38D). */
const NONCE_BYTES = 12
const TAG_BYTES = 16
const VERSION = 'v1'
/** Version, key, nonce, and the ciphertext with its tag. */
const SEALED = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]{22,})$/

/** Encrypts what is kept, so that a copy of the database tells no secret to somebody without the key. */
export interface Sealer {
  /**
   * Seals a text.
   *
   * @param purpose what the text is and whose, e.g. `secret session`: a value that is moved elsewhere does not open
   * @returns `v1.<id of the key>.<nonce>.<ciphertext and tag>`, in base64url
   */
  seal(text: string, purpose: string): string
  /**
   * Opens what `seal` made for the same purpose.
   *
   * @throws SecretsError when its key is not at hand, or it is not what was sealed
   */
  open(sealed: string, purpose: string): string
}

/** A sealer that seals with the first of its keys and opens with all of them. */
export function createSealer(keys: readonly [EncryptionKey, ...EncryptionKey[]]): Sealer {
  const [sealing] = keys
  return {
    seal(text, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, sealing.key, nonce)
      cipher.setAAD(context(sealing.id, purpose))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return [VERSION, sealing.id, nonce.toString('base64url'), body.toString('base64url')].join('.')
    },

    open(sealed, purpose) {
      const [, keyId, nonce = '', body = ''] = SEALED.exec(sealed) ?? []
      if (keyId === undefined) throw damaged(purpose)
      const opening = keys.find(({ id }) => id === keyId)
      if (!opening) throw new SecretsError(`The key ${keyId}, which sealed "${purpose}", is not at hand.`)
      const bytes = Buffer.from(body, 'base64url')
      try {
        const decipher = createDecipheriv(CIPHER, opening.key, Buffer.from(nonce, 'base64url'))
        decipher.setAAD(context(keyId, purpose))
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
        return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]).toString()
      } catch {
        throw damaged(purpose)
      }
    },
  }
}

/** The id of the key that sealed a value; null when it is no sealed value. */
export function sealingKeyId(sealed: string): string | null {
  return SEALED.exec(sealed)?.[1] ?? null
}

/** What is authenticated along with the text: everything about it that is not encrypted. */
function context(keyId: string, purpose: string): Buffer {
  return Buffer.from(`trainyard ${VERSION} ${keyId} ${purpose}`)
}

function damaged(purpose: string): SecretsError {
  return new SecretsError(
    `The sealed value of "${purpose}" in the database is damaged, or somebody has changed it.`,
  )
}
