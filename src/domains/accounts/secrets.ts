import { createHash, randomBytes } from 'node:crypto'

/** What a secret that the server gives out is for; its prefix tells people and secret scanners. */
const PREFIX = { token: 'ty_', invitation: 'tyi_', passwordReset: 'typ_' } as const

/** A new secret: recognisable by its prefix, with 256 bits that nobody can guess. */
export function newSecret(kind: keyof typeof PREFIX): string {
  return PREFIX[kind] + randomBytes(32).toString('base64url')
}

/** Whether a bearer token is one of ours for scripts, rather than a session. */
export function isApiSecret(token: string): boolean {
  return token.startsWith(PREFIX.token)
}

/** What is stored of a secret. It is random, so a plain SHA-256 is enough and can be looked up. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
