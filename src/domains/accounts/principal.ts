import { ForbiddenError } from '../../errors.ts'

/** The languages that labels exist in. */
export const LOCALES = ['EN', 'ZH_CN'] as const
export type Locale = (typeof LOCALES)[number]

/** What an account may do on this server. */
export const ROLES = ['ADMIN', 'MEMBER'] as const
export type Role = (typeof ROLES)[number]

/** A person, signed in or using one of their API tokens. */
export interface UserPrincipal {
  kind: 'user'
  userId: string
  role: Role
  /** When the sign-in or token ends; null for a token without end. */
  expiresAt: Date | null
}

/** The process of a run, which may report to that run and do nothing else. */
export interface RunPrincipal {
  kind: 'run'
  runId: string
  expiresAt: Date | null
}

/** Who asks. Services take it first and decide what it may do. */
export type Principal = UserPrincipal | RunPrincipal

/**
 * The person who asks.
 *
 * @throws ForbiddenError when it is the process of a run
 */
export function requireUser(principal: Principal): UserPrincipal {
  if (principal.kind === 'user') return principal
  throw new ForbiddenError('The token of a run may only report to its own run.')
}

/**
 * Lets people pass, and the process of this very run.
 *
 * @throws ForbiddenError for the process of another run
 */
export function requireReporter(principal: Principal, runId: string): void {
  if (principal.kind === 'run' && principal.runId !== runId) {
    throw new ForbiddenError('The token of a run may only report to its own run.')
  }
}
