import { ForbiddenError, PasswordChangeRequiredError } from '../../errors.ts'

/** The languages that labels exist in. */
export const LOCALES = ['EN', 'ZH_CN'] as const
export type Locale = (typeof LOCALES)[number]

/** What an account may do on this server. */
export const ROLES = ['ADMIN', 'MEMBER'] as const
export type Role = (typeof ROLES)[number]

/** What a credential may be used for. */
export const SCOPES = ['READ', 'RUN', 'ADMIN', 'AGENT'] as const
export type Scope = (typeof SCOPES)[number]

/** Each scope with those that it includes. */
const INCLUDED: Record<Scope, readonly Scope[]> = {
  READ: ['READ'],
  RUN: ['READ', 'RUN'],
  ADMIN: ['READ', 'RUN', 'ADMIN'],
  AGENT: ['AGENT'],
}

/** Where a request comes from, for the audit trail and the list of sessions. */
export interface Origin {
  /** The address of the client, as far as trusted proxies tell it. */
  address: string | null
  userAgent: string | null
}

/** What a person shows for who they are: a sign-in, or one of their API tokens. */
export type Credential = { kind: 'session'; id: string } | { kind: 'token'; id: string }

/** A person, signed in or using one of their API tokens. */
export interface UserPrincipal {
  kind: 'user'
  userId: string
  username: string
  role: Role
  /** What the credential may be used for; a sign-in may be used for everything that the role allows. */
  scopes: readonly Scope[]
  /** Whether nothing is allowed but to set a password of their own. */
  mustChangePassword: boolean
  credential: Credential
  origin: Origin
  /** When the sign-in or token ends; null for a token without end. */
  expiresAt: Date | null
}

/** The process of a run, which may report to that run and do nothing else. */
export interface RunPrincipal {
  kind: 'run'
  runId: string
  credential: Credential
  origin: Origin
  expiresAt: Date | null
}

/** Who asks. Services take it first and decide what it may do. */
export type Principal = UserPrincipal | RunPrincipal

/**
 * The person who asks, when their credential may be used for this.
 *
 * @throws ForbiddenError when it is the process of a run, when the credential lacks the scope, or when the
 *   password must be changed first
 */
export function requireUser(principal: Principal, scope: Scope): UserPrincipal {
  const user = requirePerson(principal)
  if (user.mustChangePassword) throw new PasswordChangeRequiredError()
  if (!hasScope(user, scope)) throw new ForbiddenError(`This API token lacks the scope ${scope}.`)
  return user
}

/**
 * The person who asks, even when all they may do is to change their password.
 *
 * @throws ForbiddenError when it is the process of a run
 */
export function requirePerson(principal: Principal): UserPrincipal {
  if (principal.kind === 'user') return principal
  throw new ForbiddenError('The token of a run may only report to its own run.')
}

/**
 * The person who asks, by a sign-in of theirs: what decides over their account is out of reach of a token that
 * lies in some script.
 *
 * @throws ForbiddenError for tokens
 */
export function requireSignIn(principal: Principal): UserPrincipal {
  const user = requirePerson(principal)
  if (user.credential.kind === 'session') return user
  throw new ForbiddenError('This takes a sign-in with a password; an API token does not do.')
}

/**
 * Lets a token pass only as far as it is about members: whoever finds it must not come to an administrator's account,
 * the one that it belongs to included, which would last longer than the token.
 *
 * @throws ForbiddenError for tokens when it is about an administrator
 */
export function requireSignInOver(principal: Principal, role: string | null | undefined): void {
  if (role === 'ADMIN') requireSignIn(principal)
}

/**
 * An administrator, with a credential that may be used as such.
 *
 * @throws ForbiddenError for everybody else
 */
export function requireAdministrator(principal: Principal): UserPrincipal {
  const user = requireUser(principal, 'ADMIN')
  if (user.role === 'ADMIN') return user
  throw new ForbiddenError('This is for administrators only.')
}

/** Whether somebody has an administrator's powers over what belongs to others. */
export function isAdministrator(principal: Principal): boolean {
  return principal.kind === 'user' && principal.role === 'ADMIN' && mayManage(principal, principal.userId)
}

/** Whether somebody may see and change what belongs to an account: their own, or any as an administrator. */
export function mayManage(principal: Principal | null, userId: string): boolean {
  if (principal?.kind !== 'user' || principal.mustChangePassword || !hasScope(principal, 'ADMIN'))
    return false
  return principal.userId === userId || principal.role === 'ADMIN'
}

/**
 * Lets people pass, and the process of this very run.
 *
 * @throws ForbiddenError for the process of another run, and for people as `requireUser` does
 */
export function requireReporter(principal: Principal, runId: string, scope: Scope): void {
  if (principal.kind === 'user') requireUser(principal, scope)
  else if (principal.runId !== runId) {
    throw new ForbiddenError('The token of a run may only report to its own run.')
  }
}

/** What makes a difference to what somebody may see: two with the same get the same answers. */
export function identityOf(principal: Principal): unknown[] {
  return principal.kind === 'run'
    ? ['run', principal.runId]
    : ['user', principal.userId, principal.role, principal.scopes, principal.mustChangePassword]
}

/** Whether the credential of a person may be used for this. */
export function hasScope(user: UserPrincipal, scope: Scope): boolean {
  return user.scopes.some((granted) => INCLUDED[granted].includes(scope))
}
