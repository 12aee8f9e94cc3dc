import { RateLimiterMemory } from 'rate-limiter-flexible'
import { UnavailableError } from '../../errors.ts'

/** Counts something for each of many keys, such as what failed from one address. */
export interface Limit {
  /**
   * @param underWay how much may come to be counted besides, by those who asked before and are not done
   * @throws UnavailableError when as much as may be was counted already, or may be before long
   */
  check(key: string, underWay?: number): Promise<void>
  count(key: string): Promise<void>
}

/**
 * A limit for each key, kept in memory until its time is over.
 *
 * @param options.points how much may be counted within `seconds` of the first; 0 for any number
 * @param options.refusal what to tell whoever is over it, before when to try again
 */
export function createLimit({
  points,
  seconds,
  refusal,
}: {
  points: number
  seconds: number
  refusal: string
}): Limit {
  if (points === 0) return { check: async () => undefined, count: async () => undefined }
  const limiter = new RateLimiterMemory({ points, duration: seconds })
  return {
    async check(key, underWay = 0) {
      const state = await limiter.get(key)
      if (state && state.remainingPoints <= 0) throw tryAgainIn(state.msBeforeNext, refusal)
      if (underWay >= (state?.remainingPoints ?? points)) throw tryAgainIn(1000, refusal)
    },
    async count(key) {
      await limiter.penalty(key)
    },
  }
}

/** The error that says when to try again. */
export function tryAgainIn(ms: number, refusal: string): UnavailableError {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  return new UnavailableError(`${refusal}: try again in ${seconds} second${seconds === 1 ? '' : 's'}.`)
}
