import { createBatch } from '../../db/batch.ts'
import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import type { AuditEvent, Prisma, User } from '../../generated/prisma/client.ts'
import { isAdministrator, type Principal, requireAdministrator } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { AuditFilterInput, matchingEvents } from './filter.ts'
import { createTargetLoader, type Target } from './targets.ts'

type EventListQuery = Pick<Prisma.AuditEventFindManyArgs, 'cursor' | 'take' | 'skip'>

export type AuditService = ReturnType<typeof createAuditService>

/** What people and runs did, for administrators to read. Nothing here changes an event. */
export function createAuditService({ database }: { database: Database }) {
  const { prisma } = database

  const userOf = createBatch(async (ids: string[]) => {
    const users = await prisma.user.findMany({ where: { id: { in: ids } } })
    return new Map(users.map((user) => [user.id, user]))
  })

  // A token that was revoked is gone, but the event of its making still has its name.
  const tokenNameOf = createBatch(async (ids: string[]) => {
    const [tokens, made] = await Promise.all([
      prisma.apiToken.findMany({ where: { id: { in: ids } }, select: { id: true, name: true } }),
      prisma.auditEvent.findMany({
        where: { targetId: { in: ids }, action: 'API_TOKEN_CREATED' },
        select: { targetId: true, targetName: true },
      }),
    ])
    return new Map([
      ...made.map(({ targetId, targetName }) => [targetId ?? '', targetName ?? ''] as const),
      ...tokens.map(({ id, name }) => [id, name] as const),
    ])
  })

  const targetOf = createTargetLoader(database)

  return {
    /** Events that match, the latest first. @throws ForbiddenError, ValidationError */
    async list(principal: Principal, filter: unknown, query: EventListQuery = {}): Promise<AuditEvent[]> {
      requireAdministrator(principal)
      const where = await matchingEvents(prisma, parseInput(AuditFilterInput, filter ?? {}))
      return prisma.auditEvent.findMany(latestFirst(query, where))
    },

    async count(principal: Principal, filter: unknown): Promise<number> {
      requireAdministrator(principal)
      const where = await matchingEvents(prisma, parseInput(AuditFilterInput, filter ?? {}))
      return prisma.auditEvent.count({ where })
    },

    /** The person who did it; null when it was none. */
    async actorOf(event: AuditEvent): Promise<User | null> {
      if (event.actorKind !== 'USER' || event.actorId === null) return null
      return (await userOf(event.actorId)) ?? null
    },

    /** The name of the API token that it was done with; null when it was done otherwise. */
    async tokenNameOf(event: AuditEvent): Promise<string | null> {
      return event.tokenId === null ? null : ((await tokenNameOf(event.tokenId)) ?? null)
    },

    /** What it was done to, as it is now; null when that is gone, or no node. */
    async targetOf(event: AuditEvent): Promise<Target | null> {
      return event.targetId === null ? null : ((await targetOf(event.targetId)) ?? null)
    },
  }
}

/** Whether there are events for somebody: for all others none exists. */
export function seesEvents(principal: Principal | null): boolean {
  return principal?.kind === 'user' && !principal.mustChangePassword && isAdministrator(principal)
}
