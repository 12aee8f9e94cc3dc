import type { User } from '../../generated/prisma/client.ts'
import { type ApiTokenService, scopesOf } from './api-tokens.ts'
import { type Origin, type Principal, ROLES, type Role, type Scope } from './principal.ts'
import { isApiSecret } from './secrets.ts'
import type { SessionService } from './sessions.ts'

/** Tells who a bearer token stands for. @throws UnauthenticatedError when it is none of ours, is over or was revoked */
export type Authenticate = (bearer: string, origin: Origin) => Promise<Principal>

/** A sign-in may be used for everything that the role of the person allows. */
const SESSION_SCOPES: readonly Scope[] = ['ADMIN']

/** Tells people, their scripts and the processes of runs by what they send. */
export function createAuthenticate(services: {
  sessions: SessionService
  apiTokens: ApiTokenService
}): Authenticate {
  return async (bearer, origin) => {
    if (!isApiSecret(bearer)) {
      const { id, user, tokenExpiresAt: expiresAt } = await services.sessions.authenticate(bearer)
      const credential = { kind: 'session', id } as const
      return { ...personOf(user), scopes: SESSION_SCOPES, credential, origin, expiresAt }
    }
    const token = await services.apiTokens.authenticate(bearer)
    const credential = { kind: 'token', id: token.id } as const
    const { expiresAt, runId } = token
    if (runId !== null) return { kind: 'run', runId, credential, origin, expiresAt }
    return { ...personOf(token.user), scopes: scopesOf(token), credential, origin, expiresAt }
  }
}

function personOf(user: User) {
  const { id: userId, username, mustChangePassword } = user
  return { kind: 'user', userId, username, mustChangePassword, role: toRole(user.role) } as const
}

/** A stored role; one that this version does not know grants no more than the least. */
export function toRole(role: string): Role {
  return ROLES.find((known) => known === role) ?? 'MEMBER'
}
