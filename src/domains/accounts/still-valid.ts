import type { Database } from '../../db/database.ts'
import type { User } from '../../generated/prisma/client.ts'
import { scopesOf } from './api-tokens.ts'
import { toRole } from './authenticate.ts'
import type { Principal } from './principal.ts'
import type { UnstoredSessions } from './unstored-sessions.ts'

/** Tells of each principal whether its credential still counts, for the same rights. */
export type StillValid = (principals: Principal[]) => Promise<boolean[]>

/**
 * For connections that outlive a request: two statements say of any number of principals whether they would
 * still be who they are if they came now.
 */
export function createStillValid({
  database: { prisma },
  unstored,
  now = () => new Date(),
}: {
  database: Database
  unstored: UnstoredSessions
  now?: () => Date
}): StillValid {
  return async (principals) => {
    if (principals.length === 0) return []
    const idsOf = (kind: Principal['credential']['kind']) => [
      ...new Set(principals.filter(({ credential }) => credential.kind === kind).map((p) => p.credential.id)),
    ]
    const user = { select: { role: true, deactivatedAt: true, mustChangePassword: true } } as const
    const [sessions, tokens] = await Promise.all([
      prisma.userSession.findMany({
        where: { id: { in: idsOf('session') } },
        select: { id: true, expiresAt: true, user },
      }),
      prisma.apiToken.findMany({ where: { id: { in: idsOf('token') } }, include: { user } }),
    ])
    const sessionById = new Map(sessions.map((session) => [session.id, session]))
    const tokenById = new Map(tokens.map((token) => [token.id, token]))

    return principals.map((principal) => {
      const { credential, expiresAt } = principal
      if (expiresAt !== null && expiresAt <= now()) return false
      if (credential.kind === 'session') {
        if (unstored.find(credential.id)) return true
        const session = sessionById.get(credential.id)
        return session !== undefined && session.expiresAt > now() && isUnchanged(principal, session.user)
      }
      const token = tokenById.get(credential.id)
      if (!token) return false
      if (principal.kind === 'run') return token.runId === principal.runId
      return isUnchanged(principal, token.user) && sameNames(principal.scopes, scopesOf(token))
    })
  }
}

function isUnchanged(
  principal: Principal,
  user: Pick<User, 'role' | 'deactivatedAt' | 'mustChangePassword'>,
): boolean {
  return (
    principal.kind === 'user' &&
    user.deactivatedAt === null &&
    toRole(user.role) === principal.role &&
    user.mustChangePassword === principal.mustChangePassword
  )
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name))
}
