import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { NotFoundError, UnauthenticatedError } from '../../errors.ts'
import type { Prisma, User, UserSession } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { outageOf } from '../../outage.ts'
import type { Signals } from '../../streams/signals.ts'
import { type AuditAction, type AuditActor, recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { mayManage, type Origin, type Principal, requireUser } from './principal.ts'
import { createSessionTokens } from './session-tokens.ts'
import { accountTopics } from './topics.ts'
import type { UnstoredSessions } from './unstored-sessions.ts'

/** How long the refresh token before the newest is still good: its answer may have been lost on the way. */
const REUSE_GRACE_MS = 60_000
/** The most that is kept of what a client calls itself. */
const USER_AGENT_LENGTH = 300

/** Whoever has just begun a sign-in, as the audit trail names them. */
export function beginnerOf(session: UserSession, { username }: User, origin: Origin): AuditActor {
  return {
    kind: 'user',
    userId: session.userId,
    username,
    credential: { kind: 'session', id: session.id },
    origin,
  }
}

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

type SessionListQuery = Pick<
  Prisma.UserSessionFindManyArgs,
  'include' | 'select' | 'cursor' | 'take' | 'skip'
>

/** What the session service needs. */
export interface SessionDependencies {
  database: Database
  signals: Signals
  sessionKey: Uint8Array
  unstored: UnstoredSessions
  /** How long an access token works. */
  sessionMinutes: number
  /** How long a sign-in lasts that is not used. */
  refreshDays: number
  now?: () => Date
}

export type SessionService = ReturnType<typeof createSessionService>

/** Sign-ins: each is a row, a short-lived access token and a refresh token that changes at every use. */
export function createSessionService(deps: SessionDependencies) {
  const { database, signals, unstored, sessionKey, now = () => new Date() } = deps
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

  /** Ends a sign-in that is there. */
  async function end(session: UserSession, actor: Principal | Origin, action: AuditAction): Promise<void> {
    const ended = await database.transaction(async (tx) => {
      const { count } = await tx.userSession.deleteMany({ where: { id: session.id } })
      if (count === 0) return false
      const user = await tx.user.findUniqueOrThrow({ where: { id: session.userId } })
      await recordEvent(tx, 'kind' in actor ? actor : { kind: 'anonymous', origin: actor }, {
        action,
        target: { kind: 'User', id: user.id, name: user.username },
        details: { sessionId: session.id },
      })
      return true
    })
    if (ended) signals.notify(accountTopics.rights, session.userId)
  }

  function newSession(user: User, origin: Origin): UserSession {
    return {
      id: newId('UserSession'),
      userId: user.id,
      generation: 0,
      createdAt: now(),
      rotatedAt: now(),
      lastUsedAt: now(),
      expiresAt: unusedUntil(),
      ...fieldsOf(origin),
    }
  }

  /** A sign-in that goes on, with its user. */
  async function findLive(id: string): Promise<(UserSession & { user: User }) | null> {
    const stored = await database.prisma.userSession.findUnique({ where: { id }, include: { user: true } })
    const session = stored ?? (await withUser(unstored.find(id)))
    return session && session.expiresAt > now() && !session.user.deactivatedAt ? session : null
  }

  async function withUser(session: UserSession | null) {
    const user = session && (await database.prisma.user.findUnique({ where: { id: session.userId } }))
    return session && user && { ...session, user }
  }

  /** On a full disk a refresh token cannot be replaced: then the newest one goes on being good. @throws `error` otherwise */
  async function keepAsIs(
    error: unknown,
    sessionId: string,
    generation: number,
  ): Promise<UserSession | null> {
    if (outageOf(error) !== 'disk-full') throw error
    const session = await findLive(sessionId)
    return session?.generation === generation ? session : null
  }

  const liveOf = (userId: string) => ({ userId, expiresAt: { gt: now() } })
  const unusedUntil = () => new Date(now().getTime() + deps.refreshDays * 86_400_000)

  return {
    /** Makes the row of a sign-in; `issue` gives its tokens once the transaction is through. */
    async start(tx: Transaction, user: User, origin: Origin): Promise<UserSession> {
      await tx.userSession.deleteMany({ where: { userId: user.id, expiresAt: { lte: now() } } })
      return tx.userSession.create({ data: newSession(user, origin) })
    },

    /** Begins a sign-in that nothing is stored of, because the disk is full; see UnstoredSessions. */
    startUnstored(user: User, origin: Origin): UserSession {
      const session = newSession(user, origin)
      unstored.add(session)
      return session
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
      let reusedOf: string | null = null
      const rotate = async () =>
        database.transaction(async (tx) => {
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
          reusedOf = user.id
          return null
        })
      const session = unstored.find(sessionId)
        ? await findLive(sessionId)
        : await rotate().catch((error) => keepAsIs(error, sessionId, generation))
      if (reusedOf !== null) signals.notify(accountTopics.rights, reusedOf)
      if (!session) throw new UnauthenticatedError('The session has ended: sign in again.')
      return issue(session)
    },

    /** The live sign-in that an access token belongs to, with its user. @throws UnauthenticatedError */
    async authenticate(accessToken: string): Promise<UserSession & { user: User; tokenExpiresAt: Date }> {
      const { sessionId, expiresAt } = await tokens.read('access', accessToken)
      const session = await findLive(sessionId)
      if (!session) throw new UnauthenticatedError('The session has ended: sign in again.')
      return { ...session, tokenExpiresAt: expiresAt }
    },

    /** Whether a refresh token is that of a sign-in that goes on, without using it. */
    async isLive(refreshToken: string): Promise<boolean> {
      const claims = await tokens.read('refresh', refreshToken).catch(() => null)
      return claims !== null && (await findLive(claims.sessionId)) !== null
    },

    /** Ends the sign-in of who asks, and that of the cookie, where there are any. */
    async logout(principal: Principal | null, refreshToken: string | null, origin: Origin): Promise<void> {
      const ids: string[] = []
      if (principal?.credential.kind === 'session') ids.push(principal.credential.id)
      if (refreshToken !== null) {
        const claims = await tokens.read('refresh', refreshToken).catch(() => null)
        if (claims) ids.push(claims.sessionId)
      }
      if (ids.length === 0) return
      if (principal?.kind === 'user' && ids.filter(unstored.remove).length > 0) {
        signals.notify(accountTopics.rights, principal.userId)
      }
      const sessions = await database.prisma.userSession.findMany({ where: { id: { in: ids } } })
      for (const session of sessions) await end(session, principal ?? origin, 'SIGNED_OUT')
    },

    /**
     * Ends all sign-ins of the person who asks.
     *
     * @throws ValidationError, ForbiddenError
     */
    async logoutEverywhere(principal: Principal, input: unknown): Promise<{ endedOwn: boolean }> {
      const { userId, username, credential } = requireUser(principal, 'ADMIN')
      const { exceptCurrent } = parseInput(LogoutEverywhereInput, input)
      const kept = exceptCurrent && credential.kind === 'session' ? credential.id : null
      await database.transaction(async (tx) => {
        const { count } = await tx.userSession.deleteMany({
          where: { userId, ...(kept !== null && { id: { not: kept } }) },
        })
        await recordEvent(tx, principal, {
          action: 'SIGNED_OUT_EVERYWHERE',
          target: { kind: 'User', id: userId, name: username },
          details: { sessions: count },
        })
      })
      signals.notify(accountTopics.rights, userId)
      return { endedOwn: kept === null }
    },

    /** Ends a sign-in, one's own or, as an administrator, anybody's. @returns it as it was. @throws NotFoundError */
    async revoke(principal: Principal, input: unknown): Promise<UserSession> {
      requireUser(principal, 'ADMIN')
      const { sessionId } = parseInput(RevokeSessionInput, input)
      const session = await this.find(principal, sessionId)
      if (!session) throw new NotFoundError('session', sessionId)
      await end(session, principal, 'SESSION_REVOKED')
      return session
    },

    /** A sign-in; null when there is none, or none that is the business of who asks. */
    async find(principal: Principal, id: string): Promise<UserSession | null> {
      const session = await database.prisma.userSession.findUnique({ where: { id } })
      return session && mayManage(principal, session.userId) ? session : null
    },

    /** The sign-ins of a person, the latest first; none when that is not the business of who asks. */
    async list(
      principal: Principal | null,
      userId: string,
      query: SessionListQuery = {},
    ): Promise<UserSession[]> {
      if (!mayManage(principal, userId)) return []
      return database.prisma.userSession.findMany(latestFirst(query, liveOf(userId)))
    },

    async count(principal: Principal | null, userId: string): Promise<number> {
      if (!mayManage(principal, userId)) return 0
      return database.prisma.userSession.count({ where: liveOf(userId) })
    },
  }
}

const LogoutEverywhereInput = z.object({ exceptCurrent: z.boolean().nullish() })

const RevokeSessionInput = z.object({ sessionId: z.string() })

function fieldsOf({ address, userAgent }: Origin) {
  return { address, userAgent: userAgent?.slice(0, USER_AGENT_LENGTH) ?? null }
}
