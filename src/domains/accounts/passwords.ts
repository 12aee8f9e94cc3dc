import { hash, verify } from '@node-rs/argon2'
import { z } from 'zod'

/** Argon2id with 19 MiB, 2 passes, 1 lane: OWASP's Password Storage Cheat Sheet. The library's default is Argon2id. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** A password that somebody chooses: NIST SP 800-63B asks for length and for no rules of composition. */
export const NewPasswordInput = z
  .string()
  .min(8, 'Must have at least 8 characters.')
  .max(1024, 'Must have at most 1024 characters.')

/** What is stored of a password. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, ARGON2)
}

/**
 * Whether a password is the one that was stored. Takes the same time when nothing was stored, so that the time
 * does not tell whether a name exists.
 */
export async function passwordMatches(stored: string | null, password: string): Promise<boolean> {
  if (stored !== null && stored !== '') return verify(stored, password)
  await hashPassword(password)
  return false
}
