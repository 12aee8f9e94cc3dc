import { hash, verify } from '@node-rs/argon2'
import { z } from 'zod'
import { UnavailableError } from '../../errors.ts'

/** Argon2id with 19 MiB, 2 passes, 1 lane: OWASP's Password Storage Cheat Sheet. The library's default is Argon2id. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** How many hashes are computed at the same time: each takes 19 MiB, and one of the four threads that files need too. */
const MAX_AT_ONCE = 2
/** How many may wait for their turn; at 30 ms each, more would wait for longer than anybody does. */
const MAX_WAITING = 200

/** A password that somebody chooses: NIST SP 800-63B asks for length and for no rules of composition. */
export const NewPasswordInput = z
  .string()
  .min(8, 'Must have at least 8 characters.')
  .max(1024, 'Must have at most 1024 characters.')

/** A password that somebody claims to have. */
export const PasswordInput = z.string().min(1, 'Must not be empty.').max(1024)

/** Stored in place of a hash: no password matches it. */
export const UNUSABLE_PASSWORD = ''

/** What is stored of a password. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, ARGON2)
}

/** Hashes passwords, a few at a time. */
export interface Passwords {
  /** What is stored of a password. @throws UnavailableError when too many wait */
  hash(password: string): Promise<string>
  /**
   * Whether a password is the one that was stored. Takes the same time when nothing was stored, so that the time
   * does not tell whether a name exists. @throws UnavailableError when too many wait
   */
  matches(stored: string | null, password: string): Promise<boolean>
}

/** Keeps a crowd that signs in, or guesses, from taking the memory and the threads of the server. */
export function createPasswords(): Passwords {
  let running = 0
  const waiting: (() => void)[] = []

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < MAX_AT_ONCE) running += 1
    else {
      if (waiting.length >= MAX_WAITING) {
        throw new UnavailableError('Too many people are signing in just now: try again in a few seconds.')
      }
      // Whoever is done hands over its turn.
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }

  return {
    hash: (password) => inTurn(() => hashPassword(password)),
    matches: (stored, password) =>
      inTurn(async () => {
        if (stored !== null && stored !== UNUSABLE_PASSWORD) return verify(stored, password)
        await hashPassword(password)
        return false
      }),
  }
}
