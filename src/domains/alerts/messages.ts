import type { Prisma } from '../../generated/prisma/client.ts'

/** What a webhook is told of. */
export const WEBHOOK_EVENTS = ['FIRED', 'ACKNOWLEDGED', 'RESOLVED'] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

/** A stored event; the database holds nothing else. */
export function toWebhookEvent(event: string): WebhookEvent {
  const known = WEBHOOK_EVENTS.find((candidate) => candidate === event)
  if (!known) throw new Error(`The database holds an unknown event ${event} for a webhook.`)
  return known
}

const TYPE_OF: Record<WebhookEvent, string> = {
  FIRED: 'alert.fired',
  ACKNOWLEDGED: 'alert.acknowledged',
  RESOLVED: 'alert.resolved',
}

/** What of an alert a message tells. */
export const TOLD = {
  rule: { select: { id: true, name: true, threshold: true, durationSeconds: true } },
  project: { select: { id: true, name: true } },
  acknowledgedBy: { select: { id: true, username: true } },
} satisfies Prisma.AlertInclude

/** An alert with what a message tells of it. */
type ToldAlert = Prisma.AlertGetPayload<{ include: typeof TOLD }>

/** The body of the message that tells a webhook of an alert; README.md documents it. */
export function alertMessage(event: WebhookEvent, alert: ToldAlert, at: Date): string {
  return message(TYPE_OF[event], at, {
    id: alert.id,
    condition: alert.condition,
    level: alert.level,
    message: alert.message,
    value: alert.value,
    subject: { kind: alert.subjectKind, id: alert.subjectId, name: alert.subjectName },
    project: alert.project,
    rule: alert.rule,
    firedAt: alert.firedAt,
    resolvedAt: alert.resolvedAt,
    acknowledgedAt: alert.acknowledgedAt,
    acknowledgedBy: alert.acknowledgedBy,
    note: alert.note,
  })
}

/** The body of the message that tries a webhook. */
export function testMessage(webhook: { id: string; name: string }, at: Date): string {
  return message('webhook.test', at, { webhook: { id: webhook.id, name: webhook.name } })
}

/** A message in the form that the Standard Webhooks specification recommends. */
function message(type: string, at: Date, data: object): string {
  return JSON.stringify({ type, timestamp: at, data })
}
