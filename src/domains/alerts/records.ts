import type { Transaction } from '../../db/database.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Signals } from '../../streams/signals.ts'
import { isEvent, reaches, type SubjectKind, toAlertCondition, toAlertLevel } from './conditions.ts'
import { alertMessage, TOLD, type WebhookEvent } from './messages.ts'
import { alertTopics } from './topics.ts'

/** Something that an alert is about. */
export interface Subject {
  kind: SubjectKind
  id: string
}

/** What was found to be so. */
export interface Finding {
  /** What was measured, in the unit of the threshold; null where nothing is. */
  value: number | null
  /** What is to be said, for people. @param name of what it is about */
  message: (name: string) => string
}

/*
 * An alert is open until it is resolved, which happens once; a rule has at most one open alert of a subject, and of
 * what happens to a run at most one ever. It is acknowledged at most once, open or not.
 */

/**
 * Opens the alert of a rule about a subject, unless it is there.
 *
 * @returns the alert, and whether it is new; null when the rule or the subject is gone
 */
export async function openAlert(
  tx: Transaction,
  { ruleId, subject, finding }: { ruleId: string; subject: Subject; finding: Finding },
  at: Date,
): Promise<{ id: string; isNew: boolean } | null> {
  const rule = await tx.alertRule.findUnique({ where: { id: ruleId } })
  const found = rule?.enabled ? await readSubject(tx, subject) : null
  if (!rule || !found) return null
  const once = isEvent(toAlertCondition(rule.condition))
  const present = await tx.alert.findFirst({
    where: { ruleId, subjectId: subject.id, ...(!once && { resolvedAt: null }) },
    select: { id: true },
  })
  if (present) return { id: present.id, isNew: false }
  const id = newId('Alert')
  await tx.alert.create({
    data: {
      id,
      condition: rule.condition,
      level: rule.level,
      subjectKind: subject.kind,
      subjectId: subject.id,
      subjectName: found.name,
      message: finding.message(found.name),
      value: finding.value,
      firedAt: at,
      ruleId,
      projectId: found.projectId,
    },
  })
  await tellWebhooks(tx, [id], 'FIRED', at)
  return { id, isNew: true }
}

/**
 * Resolves those of some alerts that are open.
 *
 * @returns their ids
 */
export async function resolveAlerts(
  tx: Transaction,
  which: Prisma.AlertWhereInput,
  at: Date,
): Promise<string[]> {
  const open = await tx.alert.findMany({
    where: { AND: [which, { resolvedAt: null }] },
    select: { id: true },
  })
  const ids = open.map(({ id }) => id)
  if (ids.length === 0) return []
  await tx.alert.updateMany({ where: { id: { in: ids }, resolvedAt: null }, data: { resolvedAt: at } })
  await tellWebhooks(tx, ids, 'RESOLVED', at)
  return ids
}

/** Writes down what the webhooks that want to know of these alerts are to be told. */
export async function tellWebhooks(
  tx: Transaction,
  alertIds: string[],
  event: WebhookEvent,
  at: Date,
): Promise<void> {
  const webhooks = await tx.webhook.findMany({
    where: { enabled: true },
    select: { id: true, minimumLevel: true },
  })
  if (webhooks.length === 0) return
  const alerts = await tx.alert.findMany({ where: { id: { in: alertIds } }, include: TOLD })
  const deliveries = alerts.flatMap((alert) =>
    webhooks
      .filter(({ minimumLevel }) => reaches(toAlertLevel(alert.level), toAlertLevel(minimumLevel)))
      .map((webhook) => ({
        id: newId('WebhookDelivery'),
        event,
        body: alertMessage(event, alert, at),
        status: 'PENDING',
        nextAttemptAt: at,
        createdAt: at,
        webhookId: webhook.id,
        alertId: alert.id,
      })),
  )
  await tx.webhookDelivery.createMany({ data: deliveries })
}

/** Tells everybody who watches alerts, and who delivers them, that these changed. */
export function announceAlerts(signals: Signals, ids: string[]): void {
  for (const id of ids) {
    signals.notify(alertTopics.changed(id), id)
    signals.notify(alertTopics.any, id)
  }
  if (ids.length > 0) signals.notify(alertTopics.deliveries)
}

async function readSubject(
  tx: Transaction,
  { kind, id }: Subject,
): Promise<{ name: string; projectId: string | null } | null> {
  const where = { id }
  if (kind === 'ComputeNode') {
    const node = await tx.computeNode.findUnique({ where, select: { name: true } })
    return node && { ...node, projectId: null }
  }
  const select = { name: true, projectId: true }
  return kind === 'Run' ? tx.run.findUnique({ where, select }) : tx.deployment.findUnique({ where, select })
}
