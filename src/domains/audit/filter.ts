import { z } from 'zod'
import type { Connection } from '../../db/statements.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import { kindOfId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { AUDIT_ACTIONS } from './record.ts'

const Text = z.string().max(1000, 'Must have at most 1000 characters.').nullish()
const Time = z.coerce.date().nullish()

/** Which events; what is left out does not restrict. Times may be written out, as they are in a link. */
export const AuditFilterInput = z.object({
  action: z.array(z.enum(AUDIT_ACTIONS)).nullish(),
  /** Id or name of a person, or id of a run. */
  actor: Text,
  /** Any id. */
  target: Text,
  since: Time,
  until: Time,
  address: Text,
  search: Text,
})
export type AuditFilter = z.output<typeof AuditFilterInput>

/** The events that a filter selects. */
export async function matchingEvents(
  database: Connection,
  { action, actor, target, since, until, address, search }: AuditFilter,
): Promise<Prisma.AuditEventWhereInput> {
  return {
    AND: [
      action ? { action: { in: action } } : {},
      actor ? await doneBy(database, actor) : {},
      target ? { targetId: target } : {},
      since ? { createdAt: { gte: since } } : {},
      until ? { createdAt: { lte: until } } : {},
      address ? { address } : {},
      search ? { OR: SEARCHED.map((column) => ({ [column]: { contains: searchText(search) } })) } : {},
    ],
  }
}

const SEARCHED = ['actorName', 'targetName', 'userAgent'] as const

/** A name means whoever has it now, under every name they had, and whoever had it then. */
async function doneBy(database: Connection, actor: string): Promise<Prisma.AuditEventWhereInput> {
  if (kindOfId(actor) !== null) return { actorId: actor }
  const username = actor.toLowerCase()
  const user = await database.user.findUnique({ where: { username }, select: { id: true } })
  return { OR: [{ actorName: username }, ...(user ? [{ actorId: user.id }] : [])] }
}
