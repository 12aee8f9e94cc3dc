import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Database } from '../../db/database.ts'
import { ValidationError } from '../../errors.ts'
import type { Prisma, User } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { writeIfThereIsRoom } from './best-effort.ts'
import { hashPassword, passwordMatches } from './passwords.ts'
import { type Origin, type Principal, requirePerson } from './principal.ts'
import type { SessionService, StartedSession } from './sessions.ts'

type UserQuery = { include?: Prisma.UserInclude; select?: Prisma.UserSelect }

/** What the accounts service needs. */
export interface AccountDependencies {
  database: Database
  sessions: SessionService
  now?: () => Date
}

export type AccountService = ReturnType<typeof createAccountService>

/** Who people are, and how they show it. */
export function createAccountService({ database, sessions, now = () => new Date() }: AccountDependencies) {
  const { prisma } = database

  return {
    /**
     * Sees to it that there is an administrator `admin`. A configured password holds from the start on at which
     * it is new; one that is made up must be changed at the first sign-in.
     *
     * @returns the password that was made up when none is given and the account is new; it is shown once.
     */
    async ensureAdministrator(configured: string | undefined): Promise<string | null> {
      const admin = await prisma.user.findUnique({ where: { username: 'admin' } })
      if (!admin) {
        const password = configured ?? randomBytes(12).toString('base64url')
        const passwordHash = await hashPassword(password)
        const account = {
          id: newId('User'),
          username: 'admin',
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
      if (configured === undefined) return null
      const isKnown =
        admin.configuredPasswordHash !== null &&
        (await passwordMatches(admin.configuredPasswordHash, configured))
      if (isKnown) return null
      const isUnchanged = await passwordMatches(admin.passwordHash, configured)
      const passwordHash = await hashPassword(configured)
      await database.transaction(async (tx) => {
        await tx.user.update({
          where: { id: admin.id },
          data: { passwordHash, configuredPasswordHash: passwordHash, mustChangePassword: false },
        })
        if (isUnchanged) return
        await tx.userSession.deleteMany({ where: { userId: admin.id } })
        await recordEvent(
          tx,
          { kind: 'operator' },
          { action: 'PASSWORD_CHANGED', target: { kind: 'User', id: admin.id, name: admin.username } },
        )
      })
      return null
    },

    /**
     * Signs a person in.
     *
     * @throws ValidationError when name and password do not belong together; which of them is wrong is not told
     */
    async login(origin: Origin, input: unknown): Promise<StartedSession> {
      const { username: name, password } = parseInput(LoginInput, input)
      const user = await prisma.user.findFirst({ where: { OR: [{ username: name }, { email: name }] } })
      const matches = await passwordMatches(user?.passwordHash ?? null, password)
      if (!user || !matches || user.deactivatedAt) {
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
      }
      const session = await database.transaction(async (tx) => {
        await tx.user.update({ where: { id: user.id }, data: { lastLoginAt: now() } })
        const started = await sessions.start(tx, user, origin)
        await recordEvent(
          tx,
          { kind: 'anonymous', origin },
          {
            action: 'SIGNED_IN',
            target: { kind: 'User', id: user.id, name: user.username },
            details: { sessionId: started.id },
          },
        )
        return started
      })
      return sessions.issue(session)
    },

    /** The account of the person who asks. */
    async viewer(principal: Principal, query: UserQuery = {}): Promise<User> {
      const { userId } = requirePerson(principal)
      return prisma.user.findUniqueOrThrow({ ...query, where: { id: userId } })
    },

    /** The account that a session was just started for. */
    async ofSession(session: StartedSession, query: UserQuery = {}): Promise<User> {
      return prisma.user.findUniqueOrThrow({ ...query, where: { id: session.userId } })
    },
  }
}

const LoginInput = z.object({
  username: z
    .string()
    .min(1, 'Must not be empty.')
    .max(320)
    .transform((name) => name.trim().toLowerCase()),
  password: z.string().min(1, 'Must not be empty.').max(1024),
})
