import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

const KEY_BYTES = 32

/** A key that seals secrets (the key-encryption key). It shows nothing of itself when it is printed or logged. */
export interface EncryptionKey {
  /** Tells keys apart and nothing about them: the first 8 hexadecimal digits of the SHA-256. */
  readonly id: string
  readonly key: KeyObject
}

/** A new key, at random. */
export function newEncryptionKey(): EncryptionKey {
  return encryptionKey(randomBytes(KEY_BYTES))
}

/**
 * Reads a key as people write it: 32 bytes in base64 (either alphabet) or hexadecimal.
 *
 * @example parseEncryptionKey('m6bVXyJ0pVnN1uU3T0t8o5bq0yJ6yq7cY1rS5m8b2nE=')
 * @returns null when it is neither
 */
export function parseEncryptionKey(text: string): EncryptionKey | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return encryptionKey(Buffer.from(text, 'hex'))
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return encryptionKey(Buffer.from(text, 'base64'))
  return null
}

/** Reads the contents of a key file: the 32 bytes themselves, as earlier versions wrote them, or a line of text. */
export function decodeEncryptionKey(contents: Buffer): EncryptionKey | null {
  return contents.length === KEY_BYTES
    ? encryptionKey(contents)
    : parseEncryptionKey(contents.toString('latin1').trim())
}

/** The key as a line of text that parseEncryptionKey reads. */
export function encodeEncryptionKey({ key }: EncryptionKey): string {
  return key.export().toString('base64')
}

function encryptionKey(bytes: Buffer): EncryptionKey {
  return {
    id: createHash('sha256').update(bytes).digest('hex').slice(0, 8),
    key: createSecretKey(bytes),
  }
}
