import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { NotFoundError } from '../../errors.ts'
import type { AlertRule, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireAdministrator, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { refuseTakenName } from '../names.ts'
import { toAlertCondition } from './conditions.ts'
import { CreateAlertRuleInput, checkRule, DeleteAlertRuleInput, UpdateAlertRuleInput } from './inputs.ts'
import { announceAlerts, resolveAlerts } from './records.ts'
import { alertTopics } from './topics.ts'

type RuleQuery = { include?: Prisma.AlertRuleInclude; select?: Prisma.AlertRuleSelect }
type RuleListQuery = Pick<Prisma.AlertRuleFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** The rules: everybody signed in sees them, administrators make them. */
export function createAlertRuleService(deps: { database: Database; signals: Signals; now: () => Date }) {
  const { database, signals, now } = deps
  const { prisma } = database

  return {
    /** A rule by id; null when there is none. */
    async find(principal: Principal, id: string, query: RuleQuery = {}): Promise<AlertRule | null> {
      requireUser(principal, 'READ')
      return prisma.alertRule.findUnique({ ...query, where: { id } })
    },

    /** All rules, the latest first. */
    async list(principal: Principal, query: RuleListQuery = {}): Promise<AlertRule[]> {
      requireUser(principal, 'READ')
      return prisma.alertRule.findMany(latestFirst(query, {}))
    },

    async count(principal: Principal): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.alertRule.count()
    },

    /** @throws ForbiddenError but for administrators, ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown, query: RuleQuery = {}): Promise<AlertRule> {
      const { userId } = requireAdministrator(principal)
      const fields = parseInput(CreateAlertRuleInput, input)
      checkRule(fields)
      const id = newId('AlertRule')
      const rule = await refuseTakenName('an alert rule', fields.name, () =>
        database.transaction(async (tx) => {
          const at = now()
          await tx.alertRule.create({
            data: { ...fields, id, createdById: userId, createdAt: at, updatedAt: at },
          })
          const { name, ...details } = fields
          await recordEvent(tx, principal, {
            action: 'ALERT_RULE_CREATED',
            target: targetOf({ id, name }),
            details,
          })
          return tx.alertRule.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
      signals.notify(alertTopics.rules, id)
      return rule
    },

    /**
     * Changes the fields that are given. Alerts that are open go by the rule as it is then; those of a rule that is
     * disabled are resolved.
     *
     * @throws ForbiddenError but for administrators, NotFoundError, ValidationError, ConflictError
     */
    async update(principal: Principal, input: unknown, query: RuleQuery = {}): Promise<AlertRule> {
      requireAdministrator(principal)
      const { ruleId: id, ...fields } = parseInput(UpdateAlertRuleInput, input)
      const { rule, resolved } = await refuseTakenName('an alert rule', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const before = await requireRule(tx, id)
          checkRule({ ...before, ...fields, condition: toAlertCondition(before.condition) })
          const at = now()
          await tx.alertRule.update({ where: { id }, data: { ...fields, updatedAt: at } })
          const resolved = fields.enabled === false ? await resolveAlerts(tx, { ruleId: id }, at) : []
          await recordEvent(tx, principal, {
            action: 'ALERT_RULE_UPDATED',
            target: targetOf(before),
            details: fields,
          })
          return { resolved, rule: await tx.alertRule.findUniqueOrThrow({ ...query, where: { id } }) }
        }),
      )
      signals.notify(alertTopics.rules, id)
      announceAlerts(signals, resolved)
      return rule
    },

    /**
     * Removes a rule; its alerts stay, resolved.
     *
     * @returns the rule as it was
     * @throws ForbiddenError but for administrators, NotFoundError
     */
    async delete(principal: Principal, input: unknown, query: RuleQuery = {}): Promise<AlertRule> {
      requireAdministrator(principal)
      const { ruleId: id } = parseInput(DeleteAlertRuleInput, input)
      const { rule, resolved } = await database.transaction(async (tx) => {
        const target = targetOf(await requireRule(tx, id))
        const rule = await tx.alertRule.findUniqueOrThrow({ ...query, where: { id } })
        const resolved = await resolveAlerts(tx, { ruleId: id }, now())
        await tx.alertRule.delete({ where: { id } })
        await recordEvent(tx, principal, { action: 'ALERT_RULE_DELETED', target })
        return { rule, resolved }
      })
      signals.notify(alertTopics.rules, id)
      announceAlerts(signals, resolved)
      return rule
    },
  }
}

async function requireRule(tx: Transaction, id: string): Promise<AlertRule> {
  const rule = await tx.alertRule.findUnique({ where: { id } })
  if (!rule) throw new NotFoundError('alert rule', id)
  return rule
}

const targetOf = ({ id, name }: { id: string; name: string }) => ({ kind: 'AlertRule' as const, id, name })
