import type { Database, Transaction } from '../../db/database.ts'
import { UnauthenticatedError } from '../../errors.ts'
import type { User, UserSession } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { recordEvent } from '../audit/record.ts'
import type { Origin } from './principal.ts'
import { createSessionTokens } from './session-tokens.ts'

/** How long the refresh token before the newest is still good: its answer may have been lost on the way. */
const REUSE_GRACE_MS = 60_000
/** The most that is kept of what a client calls itself. */
const USER_AGENT_LENGTH = 300

/** What a sign-in, or its refresh, gives. */
export interface StartedSession {
  accessToken: string
  /** When the access token stops to work. */
  expiresAt: Date
  userId: string
  /** For the cookie. */
  refreshToken: string
  refreshExpiresAt: Date
}

/** What the session service needs. */
export interface SessionDependencies {
  database: Database
  sessionKey: Uint8Array
  /** How long an access token works. */
  sessionMinutes: number
  /** How long a sign-in lasts that is not used. */
  refreshDays: number
  now?: () => Date
}

export type SessionService = ReturnType<typeof createSessionService>

/** Sign-ins: each is a row, a short-lived access token and a refresh token that changes at every use. */
export function createSessionService(deps: SessionDependencies) {
  const { database, sessionKey, now = () => new Date() } = deps
  const tokens = createSessionTokens(sessionKey, now)

  async function issue(session: UserSession): Promise<StartedSession> {
    const { id: sessionId, userId, generation, expiresAt: refreshExpiresAt } = session
    const claims = { sessionId, userId, generation }
    const expiresAt = new Date(now().getTime() + deps.sessionMinutes * 60_000)
    return {
      userId,
      expiresAt,
      refreshExpiresAt,
      accessToken: await tokens.sign('access', claims, expiresAt),
      refreshToken: await tokens.sign('refresh', claims, refreshExpiresAt),
    }
  }

  const unusedUntil = () => new Date(now().getTime() + deps.refreshDays * 86_400_000)

  return {
    /** Makes the row of a sign-in; `issue` gives its tokens once the transaction is through. */
    async start(tx: Transaction, user: User, origin: Origin): Promise<UserSession> {
      await tx.userSession.deleteMany({ where: { userId: user.id, expiresAt: { lte: now() } } })
      return tx.userSession.create({
        data: {
          id: newId('UserSession'),
          userId: user.id,
          createdAt: now(),
          rotatedAt: now(),
          lastUsedAt: now(),
          expiresAt: unusedUntil(),
          ...fieldsOf(origin),
        },
      })
    },

    issue,

    /**
     * Goes on with a sign-in. The refresh token is good once: one that was used before the last ends the
     * whole sign-in, because somebody has a copy (RFC 9700, 4.14.2). The last one gives the newest again for a
     * minute, so that neither a lost answer nor two tabs at once sign anybody out.
     *
     * @throws UnauthenticatedError when there is no such sign-in any more
     */
    async refresh(refreshToken: string | null, origin: Origin): Promise<StartedSession> {
      if (refreshToken === null) throw new UnauthenticatedError('There is no session to go on with: sign in.')
      const { sessionId, generation } = await tokens.read('refresh', refreshToken)
      const session = await database.transaction(async (tx) => {
        const found = await tx.userSession.findUnique({ where: { id: sessionId }, include: { user: true } })
        if (!found || found.expiresAt <= now() || found.user.deactivatedAt) return null
        const { user, ...current } = found
        if (generation === current.generation) {
          return tx.userSession.update({
            where: { id: sessionId },
            data: {
              generation: { increment: 1 },
              rotatedAt: now(),
              lastUsedAt: now(),
              expiresAt: unusedUntil(),
              ...fieldsOf(origin),
            },
          })
        }
        const age = now().getTime() - current.rotatedAt.getTime()
        if (generation === current.generation - 1 && age <= REUSE_GRACE_MS) return current
        await tx.userSession.delete({ where: { id: sessionId } })
        await recordEvent(
          tx,
          { kind: 'anonymous', origin },
          {
            action: 'REFRESH_TOKEN_REUSED',
            target: { kind: 'User', id: user.id, name: user.username },
            details: { sessionId },
          },
        )
        return null
      })
      if (!session) throw new UnauthenticatedError('The session has ended: sign in again.')
      return issue(session)
    },

    /** The live sign-in that an access token belongs to, with its user. @throws UnauthenticatedError */
    async authenticate(accessToken: string): Promise<UserSession & { user: User; tokenExpiresAt: Date }> {
      const { sessionId, expiresAt } = await tokens.read('access', accessToken)
      const session = await database.prisma.userSession.findUnique({
        where: { id: sessionId },
        include: { user: true },
      })
      if (!session || session.user.deactivatedAt) {
        throw new UnauthenticatedError('The session has ended: sign in again.')
      }
      return { ...session, tokenExpiresAt: expiresAt }
    },

    /** Whether a refresh token is that of a sign-in that goes on, without using it. */
    async isLive(refreshToken: string): Promise<boolean> {
      const claims = await tokens.read('refresh', refreshToken).catch(() => null)
      if (!claims) return false
      return (await database.prisma.userSession.count({ where: { id: claims.sessionId } })) > 0
    },
  }
}

function fieldsOf({ address, userAgent }: Origin) {
  return { address, userAgent: userAgent?.slice(0, USER_AGENT_LENGTH) ?? null }
}
