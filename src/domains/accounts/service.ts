import { randomBytes } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import { jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { UnauthenticatedError, ValidationError } from '../../errors.ts'
import type { ApiToken, Prisma, User } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { outageOf } from '../../outage.ts'
import { NameInput, parseInput } from '../input.ts'
import { type Principal, ROLES, type Role, requireUser } from './principal.ts'
import { hashApiSecret, isApiSecret, newApiSecret } from './secrets.ts'

/** Argon2id with 19 MiB, 2 passes, 1 lane: OWASP's Password Storage Cheat Sheet. The library's default is Argon2id. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }
const ISSUER = 'trainyard'
const ALGORITHM = 'HS256'
/** `lastUsedAt` of a token is written at most this often, in ms. */
const LAST_USED_RESOLUTION_MS = 60_000

/** What a sign-in gives. */
export interface Session {
  accessToken: string
  expiresAt: Date
  userId: string
}

/** A token with its secret, which exists only here: the database keeps a hash. */
export type NewApiToken = ApiToken & { token: string }

type UserQuery = { include?: Prisma.UserInclude; select?: Prisma.UserSelect }

/** What the accounts service needs. */
export interface AccountDependencies {
  database: Database
  sessionKey: Uint8Array
  sessionMinutes: number
  now?: () => Date
}

export type AccountService = ReturnType<typeof createAccountService>

/** Who people are, and how they and their scripts show it. */
export function createAccountService({
  database,
  sessionKey,
  sessionMinutes,
  now = () => new Date(),
}: AccountDependencies) {
  const { prisma } = database

  return {
    /**
     * Sees to it that there is an administrator `admin` with the given password.
     *
     * @returns the password that was made up when none is given and the account is new; it is shown once.
     */
    async ensureAdministrator(password: string | undefined): Promise<string | null> {
      const admin = await prisma.user.findUnique({ where: { username: 'admin' } })
      if (admin) {
        if (password !== undefined && !(await verify(admin.passwordHash, password))) {
          const passwordHash = await hash(password, ARGON2)
          await database.transaction((tx) =>
            tx.user.update({ where: { id: admin.id }, data: { passwordHash } }),
          )
        }
        return null
      }
      const chosen = password ?? randomBytes(12).toString('base64url')
      const account = {
        id: newId('User'),
        username: 'admin',
        role: 'ADMIN',
        preferences: {},
        createdAt: now(),
        passwordHash: await hash(chosen, ARGON2),
      }
      await database.transaction((tx) => tx.user.create({ data: account }))
      return password === undefined ? chosen : null
    },

    /**
     * Signs a person in.
     *
     * @throws ValidationError when name and password do not belong together; which of them is wrong is not told
     */
    async login(input: unknown): Promise<Session> {
      const { username, password } = parseInput(LoginInput, input)
      const user = await prisma.user.findFirst({ where: { OR: [{ username }, { email: username }] } })
      // A hash is computed for unknown names too, so that the time does not tell whether a name exists.
      const matches = user ? await verify(user.passwordHash, password) : (await hash(password, ARGON2)) === ''
      if (!user || !matches) {
        throw ValidationError.at('password', 'The name and the password do not belong together.')
      }
      const issuedAt = now()
      const expiresAt = new Date(issuedAt.getTime() + sessionMinutes * 60_000)
      await note((tx) => tx.user.update({ where: { id: user.id }, data: { lastLoginAt: issuedAt } }))
      const accessToken = await new SignJWT({})
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(ISSUER)
        .setSubject(user.id)
        .setIssuedAt(Math.floor(issuedAt.getTime() / 1000))
        .setExpirationTime(Math.floor(expiresAt.getTime() / 1000))
        .sign(sessionKey)
      return { accessToken, expiresAt, userId: user.id }
    },

    /**
     * Who a bearer token stands for.
     *
     * @throws UnauthenticatedError when it is none of ours, has expired or was revoked
     */
    authenticate(token: string): Promise<Principal> {
      return isApiSecret(token) ? authenticateApiToken(token) : authenticateSession(token)
    },

    /** Makes a token for the scripts of the person who asks. */
    async createApiToken(principal: Principal, input: unknown): Promise<NewApiToken> {
      const { userId } = requireUser(principal)
      const { name, expiresAt } = parseInput(CreateApiTokenInput, input)
      if (expiresAt && expiresAt <= now()) throw ValidationError.at('expiresAt', 'Must lie in the future.')
      const secret = newApiSecret()
      const data = {
        id: newId('ApiToken'),
        name,
        userId,
        expiresAt: expiresAt ?? null,
        createdAt: now(),
        secretHash: hashApiSecret(secret),
      }
      const stored = await database.transaction((tx) => tx.apiToken.create({ data }))
      return { ...stored, token: secret }
    },

    /**
     * Makes a token for a run's process. Earlier ones stay, because a start that was cut short may still
     * come to something; all of them end with the run.
     */
    async issueRunToken(tx: Transaction, run: { id: string; createdById: string }): Promise<string> {
      const secret = newApiSecret()
      await tx.apiToken.create({
        data: {
          id: newId('ApiToken'),
          name: `process of ${run.id}`,
          userId: run.createdById,
          runId: run.id,
          createdAt: now(),
          secretHash: hashApiSecret(secret),
        },
      })
      return secret
    },

    /** The account of the person who asks. */
    async viewer(principal: Principal, query: UserQuery = {}): Promise<User> {
      const { userId } = requireUser(principal)
      return prisma.user.findUniqueOrThrow({ ...query, where: { id: userId } })
    },
  }

  /** Writes down what is good to know but not worth keeping anybody out when the disk is full. */
  async function note(write: (tx: Transaction) => Promise<unknown>): Promise<void> {
    try {
      await database.transaction(write)
    } catch (error) {
      if (!outageOf(error)) throw error
    }
  }

  async function authenticateSession(token: string): Promise<Principal> {
    const { payload } = await jwtVerify(token, sessionKey, {
      issuer: ISSUER,
      audience: ISSUER,
      algorithms: [ALGORITHM],
      requiredClaims: ['sub', 'exp'],
      currentDate: now(),
    }).catch(() => {
      throw new UnauthenticatedError('The session is not valid or has expired: sign in again.')
    })
    const user = await prisma.user.findUnique({ where: { id: payload.sub ?? '' } })
    if (!user) throw new UnauthenticatedError('The account of this session does not exist any more.')
    return {
      kind: 'user',
      userId: user.id,
      role: toRole(user.role),
      expiresAt: new Date((payload.exp ?? 0) * 1000),
    }
  }

  async function authenticateApiToken(token: string): Promise<Principal> {
    const stored = await prisma.apiToken.findUnique({
      where: { secretHash: hashApiSecret(token) },
      include: { user: true },
    })
    if (!stored || (stored.expiresAt && stored.expiresAt <= now())) {
      throw new UnauthenticatedError('The API token is not valid, has expired or was revoked.')
    }
    if (!stored.lastUsedAt || now().getTime() - stored.lastUsedAt.getTime() > LAST_USED_RESOLUTION_MS) {
      await note((tx) => tx.apiToken.updateMany({ where: { id: stored.id }, data: { lastUsedAt: now() } }))
    }
    if (stored.runId !== null) return { kind: 'run', runId: stored.runId, expiresAt: null }
    return {
      kind: 'user',
      userId: stored.userId,
      role: toRole(stored.user.role),
      expiresAt: stored.expiresAt,
    }
  }
}

const LoginInput = z.object({
  username: z.string().min(1, 'Must not be empty.').max(320),
  password: z.string().min(1, 'Must not be empty.').max(1024),
})

const CreateApiTokenInput = z.object({ name: NameInput, expiresAt: z.date().nullish() })

/** A stored role; one that this version does not know grants no more than the least. */
function toRole(role: string): Role {
  return ROLES.find((known) => known === role) ?? 'MEMBER'
}
