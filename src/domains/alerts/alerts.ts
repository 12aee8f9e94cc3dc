import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError } from '../../errors.ts'
import type { Alert, Prisma } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { byIdOrName } from '../names.ts'
import { requireAcknowledgeable, visibleAlerts } from './access.ts'
import { type AlertCondition, type AlertLevel, isEvent, toAlertCondition } from './conditions.ts'
import { AcknowledgeAlertInput } from './inputs.ts'
import { announceAlerts, tellWebhooks } from './records.ts'

/** How an alert stands: it is open until what it is about is so no more. */
export const ALERT_STATUSES = ['OPEN', 'RESOLVED'] as const
export type AlertStatus = (typeof ALERT_STATUSES)[number]

/** How an alert stands. */
export function alertStatus({ resolvedAt }: Pick<Alert, 'resolvedAt'>): AlertStatus {
  return resolvedAt === null ? 'OPEN' : 'RESOLVED'
}

/** Which alerts: those that match everything given. */
export interface AlertFilter {
  level?: AlertLevel | null
  status?: AlertStatus | null
  acknowledged?: boolean | null
  condition?: AlertCondition | null
  /** The id of a compute node, a run or a deployment. */
  subject?: string | null
  /** Id or name. */
  project?: string | null
}

type AlertQuery = { include?: Prisma.AlertInclude; select?: Prisma.AlertSelect }
type AlertListQuery = Pick<Prisma.AlertFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What people were to be told of, as far as it is theirs to see. */
export function createAlertService(deps: { database: Database; signals: Signals; now: () => Date }) {
  const { database, signals, now } = deps
  const { prisma } = database

  const matching = (principal: Principal, filter: AlertFilter | null | undefined) => ({
    AND: [matchingAlerts(filter), visibleAlerts(principal)],
  })

  return {
    /** An alert by id; null when there is none, or not for them. */
    async find(principal: Principal, id: string, query: AlertQuery = {}): Promise<Alert | null> {
      requireUser(principal, 'READ')
      return prisma.alert.findFirst({ ...query, where: { AND: [{ id }, visibleAlerts(principal)] } })
    },

    /** Alerts that match, the latest first. */
    async list(
      principal: Principal,
      filter: AlertFilter | null | undefined,
      query: AlertListQuery = {},
    ): Promise<Alert[]> {
      requireUser(principal, 'READ')
      return prisma.alert.findMany(latestFirst(query, matching(principal, filter)))
    },

    async count(principal: Principal, filter: AlertFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.alert.count({ where: matching(principal, filter) })
    },

    /**
     * Says that somebody takes care of it. What happened to a run cannot pass by itself: that is resolved with it.
     *
     * @throws ForbiddenError, NotFoundError, ValidationError, ConflictError when somebody did already
     */
    async acknowledge(principal: Principal, input: unknown, query: AlertQuery = {}): Promise<Alert> {
      const { userId } = requireUser(principal, 'RUN')
      const { alertId: id, note } = parseInput(AcknowledgeAlertInput, input)
      const acknowledged = await database.transaction(async (tx) => {
        const { condition, subjectName, resolvedAt } = await requireAcknowledgeable(tx, principal, id)
        const at = now()
        const resolves = resolvedAt === null && isEvent(toAlertCondition(condition))
        const { count } = await tx.alert.updateMany({
          where: { id, acknowledgedAt: null },
          data: { acknowledgedAt: at, acknowledgedById: userId, note, ...(resolves && { resolvedAt: at }) },
        })
        if (count === 0) throw new ConflictError('Somebody has acknowledged this alert already.')
        await tellWebhooks(tx, [id], resolves ? 'RESOLVED' : 'ACKNOWLEDGED', at)
        await recordEvent(tx, principal, {
          action: 'ALERT_ACKNOWLEDGED',
          target: { kind: 'Alert', id, name: subjectName },
          details: { condition },
        })
        return tx.alert.findUniqueOrThrow({ ...query, where: { id } })
      })
      announceAlerts(signals, [id])
      return acknowledged
    },
  }
}

function matchingAlerts(filter: AlertFilter | null | undefined): Prisma.AlertWhereInput {
  const { level, status, acknowledged, condition, subject, project } = filter ?? {}
  return {
    ...(level && { level }),
    ...(condition && { condition }),
    ...(subject && { subjectId: subject }),
    ...(status && { resolvedAt: status === 'OPEN' ? null : { not: null } }),
    ...(typeof acknowledged === 'boolean' && { acknowledgedAt: acknowledged ? { not: null } : null }),
    ...(project && { project: byIdOrName('Project', project) }),
  }
}
