import type { ServerResponse } from 'node:http'
import { GraphQLError } from 'graphql'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Principal } from '../domains/accounts/principal.ts'
import { clientOf } from '../network.ts'

/** Everything is counted over so many seconds, and then anew. */
const WINDOW_SECONDS = 10
/** As much of a body or an answer is part of its operation's cost, in bytes. */
const FREE_BYTES = 100_000
/** How many bytes beyond that cost one point. */
const BYTES_PER_POINT = 1000

/** How much may be asked; 0 for as much as one likes. */
export interface RateLimitSettings {
  /** The cost of all operations of a user, or of a run or an agent, in ten seconds. */
  points: number
  /** Requests without credentials that count, from one address, in ten seconds. */
  anonymousRequests: number
}

/** Who asks, and from where. */
export interface Asker {
  /** Null for somebody who did not say, or not validly. */
  principal: Principal | null
  address: string
}

/** What somebody may still ask in this window. */
export interface Allowance {
  limit: number
  remaining: number
  /** When the window ends and everything is available again, in whole seconds from now. */
  resetSeconds: number
  isExceeded: boolean
}

/** Counts what everybody asks. Each function gives null where there is no limit. */
export interface RateLimits {
  /** A request, or an operation on a socket: one point of a user or run, one request of an address. */
  countRequest(asker: Asker): Promise<Allowance | null>
  /** An operation that costs so much, its request being counted. One that is too much is not taken off. */
  spend(principal: Principal | null, cost: number): Promise<Allowance | null>
  /** Bytes that came or go, as `before` has become `now`: what has more than an operation needs costs by its size. */
  chargeBytes(principal: Principal | null, before: number, now: number): Promise<Allowance | null>
}

/** Counts in memory: a server that starts anew begins at zero. */
export function createRateLimits(settings: RateLimitSettings): RateLimits {
  const ofUsers = limiter('user', settings.points)
  const ofAddresses = limiter('address', settings.anonymousRequests)

  async function take(
    from: RateLimiterMemory | null,
    key: string,
    points: number,
  ): Promise<Allowance | null> {
    if (!from) return null
    const { consumedPoints, remainingPoints, msBeforeNext } = await from.penalty(key, points)
    return {
      limit: from.points,
      remaining: remainingPoints,
      resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
      isExceeded: consumedPoints > from.points,
    }
  }

  return {
    countRequest: ({ principal, address }) =>
      principal ? take(ofUsers, keyOf(principal), 1) : take(ofAddresses, clientOf(address), 1),

    async spend(principal, cost) {
      if (!principal || !ofUsers) return null
      const more = cost - 1 // its request is counted
      const allowance = await take(ofUsers, keyOf(principal), more)
      if (!allowance?.isExceeded) return allowance
      const { remainingPoints } = await ofUsers.reward(keyOf(principal), more)
      return { ...allowance, remaining: remainingPoints }
    },

    async chargeBytes(principal, before, now) {
      const points = pointsOf(now) - pointsOf(before)
      return principal && points > 0 ? take(ofUsers, keyOf(principal), points) : null
    },
  }
}

function pointsOf(bytes: number): number {
  return Math.max(0, Math.floor((bytes - FREE_BYTES) / BYTES_PER_POINT))
}

function limiter(keyPrefix: string, points: number): RateLimiterMemory | null {
  return points > 0 ? new RateLimiterMemory({ keyPrefix, points, duration: WINDOW_SECONDS }) : null
}

function keyOf(principal: Principal): string {
  if (principal.kind === 'run') return principal.runId
  const { userId, credential, scopes } = principal
  // Machines must use up neither what the person has whose tokens they use, nor each other's.
  const isAgent = credential.kind === 'token' && scopes.every((scope) => scope === 'AGENT')
  return isAgent ? credential.id : userId
}

/** The part of an answer that tells a client how to pace itself, as Shopify has it; null where there is no limit. */
export function throttleStatus(allowance: Allowance | null) {
  return (
    allowance && {
      maximumAvailable: allowance.limit,
      currentlyAvailable: allowance.remaining,
      restoreRate: allowance.limit / WINDOW_SECONDS,
    }
  )
}

/** The headers that tell the same. */
export const RATE_LIMIT_HEADERS = [
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
] as const

/** Puts them into an answer that is still to be sent. */
export function setRateLimitHeaders(res: ServerResponse, allowance: Allowance): void {
  if (res.headersSent) return
  res.setHeader('RateLimit-Limit', allowance.limit)
  res.setHeader('RateLimit-Remaining', allowance.remaining)
  res.setHeader('RateLimit-Reset', allowance.resetSeconds)
  if (allowance.isExceeded) res.setHeader('Retry-After', allowance.resetSeconds)
}

/** The error for somebody who asked too much. */
export function rateLimited(allowance: Allowance): GraphQLError {
  const { resetSeconds } = allowance
  return new GraphQLError(`Too many requests: try again in ${resetSeconds} s.`, {
    extensions: {
      code: 'RATE_LIMITED',
      retryAfterSeconds: resetSeconds,
      http: { status: 429 },
    },
  })
}
