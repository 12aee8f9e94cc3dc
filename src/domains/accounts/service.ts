import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../db/database.ts'
import { ValidationError } from '../../errors.ts'
import type { User, UserSession } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { outageOf } from '../../outage.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import type { Attempts } from './attempts.ts'
import { writeIfThereIsRoom } from './best-effort.ts'
import { LoginNameInput, type UserQuery } from './names.ts'
import { PasswordInput, type Passwords } from './passwords.ts'
import { type Origin, type Principal, requirePerson, requireUser } from './principal.ts'
import { beginnerOf, type SessionService, type StartedSession } from './sessions.ts'

/** What the accounts service needs. */
export interface AccountDependencies {
  database: Database
  sessions: SessionService
  passwords: Passwords
  attempts: Attempts
  now?: () => Date
}

/** Who people are, and how they show it. */
export function createAccountService(deps: AccountDependencies) {
  const { database, sessions, passwords, attempts, now = () => new Date() } = deps
  const { prisma } = database

  async function createFirstAdministrator(configured: string | undefined): Promise<string | null> {
    const password = configured ?? randomBytes(12).toString('base64url')
    const passwordHash = await passwords.hash(password)
    const account = {
      id: newId('User'),
      username: ADMINISTRATOR,
      role: 'ADMIN',
      preferences: {},
      createdAt: now(),
      passwordHash,
      mustChangePassword: configured === undefined,
      configuredPasswordHash: configured === undefined ? null : passwordHash,
    }
    await database.transaction((tx) => tx.user.create({ data: account }))
    return configured === undefined ? password : null
  }

  /** Sets a configured password unless it is the one that was set before. */
  async function applyConfigured(admin: User, configured: string): Promise<void> {
    const { configuredPasswordHash } = admin
    if (configuredPasswordHash !== null && (await passwords.matches(configuredPasswordHash, configured)))
      return
    const isUnchanged = await passwords.matches(admin.passwordHash, configured)
    const passwordHash = await passwords.hash(configured)
    await database.transaction(async (tx) => {
      await tx.user.update({
        where: { id: admin.id },
        data: { passwordHash, configuredPasswordHash: passwordHash, mustChangePassword: false },
      })
      if (isUnchanged) return
      await tx.userSession.deleteMany({ where: { userId: admin.id } })
      await tx.passwordReset.deleteMany({ where: { userId: admin.id } })
      await recordEvent(
        tx,
        { kind: 'operator' },
        { action: 'PASSWORD_CHANGED', target: { kind: 'User', id: admin.id, name: admin.username } },
      )
    })
  }

  return {
    /**
     * Sees to it that there is an administrator: `admin`, unless others have taken over. A configured password
     * holds from the start on at which it is new; one that is made up must be changed at the first sign-in.
     *
     * @returns the password that was made up when none is given and the account is new; it is shown once.
     */
    async ensureAdministrator(configured: string | undefined): Promise<string | null> {
      const admin = await prisma.user.findUnique({ where: { username: ADMINISTRATOR } })
      if (admin) {
        if (configured !== undefined) await applyConfigured(admin, configured)
        return null
      }
      const others = await prisma.user.count({ where: { role: 'ADMIN', deactivatedAt: null } })
      return others > 0 ? null : createFirstAdministrator(configured)
    },

    /**
     * Signs a person in.
     *
     * @throws ValidationError when name and password do not belong together; which of them is wrong is not told
     * @throws UnavailableError when too many attempts have failed
     */
    async login(origin: Origin, input: unknown): Promise<StartedSession> {
      const { username: name, password } = parseInput(LoginInput, input)
      const user = await prisma.user.findFirst({ where: { OR: [{ username: name }, { email: name }] } })
      const attempt = { account: user?.id ?? name, address: origin.address }
      const isRight = await attempts.try(attempt, async () => {
        const matches = await passwords.matches(user?.passwordHash ?? null, password)
        return matches && user?.deactivatedAt === null
      })
      const session = user && isRight ? await startSession(user, origin) : null
      if (session) return sessions.issue(session)
      await writeIfThereIsRoom(database, (tx) =>
        recordEvent(
          tx,
          { kind: 'anonymous', origin },
          {
            action: 'SIGN_IN_REFUSED',
            ...(user && { target: { kind: 'User', id: user.id, name: user.username } }),
          },
        ),
      )
      throw ValidationError.at('password', 'The name and the password do not belong together.')
    },

    /** The account of the person who asks. @throws ForbiddenError */
    async viewer(principal: Principal, query: UserQuery = {}): Promise<User> {
      const { userId, mustChangePassword } = requirePerson(principal)
      // Whoever must change their password has to find out so.
      if (!mustChangePassword) requireUser(principal, 'READ')
      return prisma.user.findUniqueOrThrow({ ...query, where: { id: userId } })
    },

    /** The account that a session was just started for. */
    async ofSession(session: StartedSession, query: UserQuery = {}): Promise<User> {
      return prisma.user.findUniqueOrThrow({ ...query, where: { id: session.userId } })
    },
  }

  /** Null when the account was deactivated, or its password changed, while this one was being checked. */
  async function startSession(user: User, origin: Origin): Promise<UserSession | null> {
    const stored = database.transaction(async (tx) => {
      const { count } = await tx.user.updateMany({
        where: { id: user.id, passwordHash: user.passwordHash, deactivatedAt: null },
        data: { lastLoginAt: now() },
      })
      if (count === 0) return null
      const started = await sessions.start(tx, user, origin)
      await recordEvent(tx, beginnerOf(started, user, origin), {
        action: 'SIGNED_IN',
        target: { kind: 'User', id: user.id, name: user.username },
      })
      return started
    })
    return stored.catch((error: unknown) => {
      if (outageOf(error) !== 'disk-full') throw error
      return sessions.startUnstored(user, origin)
    })
  }
}

/** The name of the first account; nobody can register it. */
export const ADMINISTRATOR = 'admin'

const LoginInput = z.object({ username: LoginNameInput, password: PasswordInput })
