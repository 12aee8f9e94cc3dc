import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { NotFoundError, UnauthenticatedError, ValidationError } from '../../errors.ts'
import type { ApiToken, Prisma, User } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Signals } from '../../streams/signals.ts'
import { recordEvent } from '../audit/record.ts'
import { NameInput, parseInput } from '../input.ts'
import { writeIfThereIsRoom } from './best-effort.ts'
import {
  mayManage,
  type Principal,
  requireAdministrator,
  requireSignIn,
  requireUser,
  SCOPES,
  type Scope,
} from './principal.ts'
import { hashSecret, newSecret } from './secrets.ts'
import { accountTopics } from './topics.ts'

/** `lastUsedAt` of a token is written at most this often, in ms. */
const LAST_USED_RESOLUTION_MS = 60_000

/** A token with its secret, which exists only here: the database keeps a hash. */
export type NewApiToken = ApiToken & { token: string }

/** The secret of a token that was made just now; null for all others. */
export function secretOf(token: ApiToken | NewApiToken): string | null {
  return 'token' in token ? token.token : null
}

type ApiTokenListQuery = Pick<Prisma.ApiTokenFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

export type ApiTokenService = ReturnType<typeof createApiTokenService>

/** Long-lived secrets for scripts, and for the processes of runs. */
export function createApiTokenService({
  database,
  signals,
  now = () => new Date(),
}: {
  database: Database
  signals: Signals
  now?: () => Date
}) {
  const { prisma } = database

  return {
    /**
     * Makes a token for the scripts of the person who asks, by a sign-in: a token that makes others would outlast its
     * end and its revocation.
     *
     * @throws ValidationError, ForbiddenError for API tokens, and for tokens of agents but to administrators
     */
    async create(principal: Principal, input: unknown): Promise<NewApiToken> {
      const { userId } = requireSignIn(requireUser(principal, 'ADMIN'))
      const { name, scopes, expiresAt } = parseInput(CreateApiTokenInput, input)
      // A machine gets what runs on it: data sets of others, and the environments of launchers.
      if (scopes?.includes('AGENT')) requireAdministrator(principal)
      if (expiresAt && expiresAt <= now()) throw ValidationError.at('expiresAt', 'Must lie in the future.')
      const secret = newSecret('token')
      const stored = await database.transaction(async (tx) => {
        const token = await tx.apiToken.create({
          data: {
            id: newId('ApiToken'),
            name,
            userId,
            scopes: (scopes ?? DEFAULT_SCOPES).join(','),
            expiresAt: expiresAt ?? null,
            createdAt: now(),
            secretHash: hashSecret(secret),
          },
        })
        await recordEvent(tx, principal, {
          action: 'API_TOKEN_CREATED',
          target: { kind: 'ApiToken', id: token.id, name },
          details: { scopes: scopesOf(token) },
        })
        return token
      })
      return { ...stored, token: secret }
    },

    /** Ends a token, one's own or, as an administrator, anybody's. @returns it as it was. @throws NotFoundError */
    async revoke(principal: Principal, input: unknown): Promise<ApiToken> {
      requireUser(principal, 'ADMIN')
      const { tokenId } = parseInput(RevokeApiTokenInput, input)
      const token = await database.transaction(async (tx) => {
        // The tokens of runs are no business of people: they end with their runs.
        const found = await tx.apiToken.findFirst({ where: { id: tokenId, runId: null } })
        if (!found || !mayManage(principal, found.userId)) throw new NotFoundError('API token', tokenId)
        await tx.apiToken.delete({ where: { id: found.id } })
        await recordEvent(tx, principal, {
          action: 'API_TOKEN_REVOKED',
          target: { kind: 'ApiToken', id: found.id, name: found.name },
          details: { userId: found.userId },
        })
        return found
      })
      signals.notify(accountTopics.rights, token.userId)
      return token
    },

    /** A token that a person made; null when there is none, or none that is the business of who asks. */
    async find(principal: Principal, id: string): Promise<ApiToken | null> {
      const token = await prisma.apiToken.findFirst({ where: { id, runId: null } })
      return token && mayManage(principal, token.userId) ? token : null
    },

    /** The tokens that a person made, the latest first; none when that is not the business of who asks. */
    async list(
      principal: Principal | null,
      userId: string,
      query: ApiTokenListQuery = {},
    ): Promise<ApiToken[]> {
      if (!mayManage(principal, userId)) return []
      return prisma.apiToken.findMany(latestFirst(query, { userId, runId: null }))
    },

    async count(principal: Principal | null, userId: string): Promise<number> {
      if (!mayManage(principal, userId)) return 0
      return prisma.apiToken.count({ where: { userId, runId: null } })
    },

    /**
     * Makes a token for a run's process. Earlier ones stay, because a start that was cut short may still
     * come to something; all of them end with the run.
     */
    async issueForRun(tx: Transaction, run: { id: string; createdById: string }): Promise<string> {
      const secret = newSecret('token')
      await tx.apiToken.create({
        data: {
          id: newId('ApiToken'),
          name: `process of ${run.id}`,
          scopes: '',
          userId: run.createdById,
          runId: run.id,
          createdAt: now(),
          secretHash: hashSecret(secret),
        },
      })
      return secret
    },

    /** The token of a secret, with its user. @throws UnauthenticatedError */
    async authenticate(secret: string): Promise<ApiToken & { user: User }> {
      const stored = await prisma.apiToken.findUnique({
        where: { secretHash: hashSecret(secret) },
        include: { user: true },
      })
      // Who started a run may have left since; the run still reports.
      const isOfRun = stored !== null && stored.runId !== null
      if (!stored || isOver(stored.expiresAt, now()) || (stored.user.deactivatedAt && !isOfRun)) {
        throw new UnauthenticatedError('The API token is not valid, has expired or was revoked.')
      }
      if (!stored.lastUsedAt || now().getTime() - stored.lastUsedAt.getTime() > LAST_USED_RESOLUTION_MS) {
        await writeIfThereIsRoom(database, (tx) =>
          tx.apiToken.updateMany({ where: { id: stored.id }, data: { lastUsedAt: now() } }),
        )
      }
      return stored
    },
  }
}

/** What a token may be used for. */
export function scopesOf(token: ApiToken): Scope[] {
  const names = token.scopes.split(',')
  return SCOPES.filter((scope) => names.includes(scope))
}

/** Enough for scripts that start and watch runs, and not to act as an administrator. */
const DEFAULT_SCOPES: Scope[] = ['RUN']

const CreateApiTokenInput = z.object({
  name: NameInput,
  scopes: z
    .array(z.enum(SCOPES))
    .min(1, 'Must name at least one scope.')
    .refine(
      (scopes) => !scopes.includes('AGENT') || scopes.length === 1,
      'AGENT must stand alone: what an agent has, its machine has.',
    )
    .nullish(),
  expiresAt: z.date().nullish(),
})

const RevokeApiTokenInput = z.object({ tokenId: z.string() })

/** Whether what ends then, or never, has ended. */
export function isOver(end: Date | null, now: Date): boolean {
  return end !== null && end <= now
}
