import { z } from 'zod'
import { ValidationError } from '../../errors.ts'
import { TextInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { ALERT_CONDITIONS, ALERT_LEVELS, type AlertCondition, isEvent, maxThresholdOf } from './conditions.ts'

/** A condition must hold for a day at most: what is seen of it is forgotten when the server stops. */
const MAX_DURATION_SECONDS = 86_400

const Threshold = z.number('Must be a number.').positive('Must be more than 0.')
const Duration = z
  .number()
  .int('Must be a whole number.')
  .min(0, 'Must be at least 0.')
  .max(MAX_DURATION_SECONDS, `Must be at most ${MAX_DURATION_SECONDS}, which is a day.`)

/** The input of createAlertRule. */
export const CreateAlertRuleInput = z.object({
  name: OwnNameInput,
  condition: z.enum(ALERT_CONDITIONS),
  threshold: Threshold.nullish().transform((value) => value ?? null),
  durationSeconds: Duration.nullish().transform((value) => value ?? 0),
  level: z
    .enum(ALERT_LEVELS)
    .nullish()
    .transform((value) => value ?? ('WARNING' as const)),
  enabled: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
})

/** The input of updateAlertRule. What is left out stays as it is. */
export const UpdateAlertRuleInput = z.object({
  ruleId: z.string(),
  name: OwnNameInput.optional(),
  threshold: Threshold.optional(),
  durationSeconds: Duration.optional(),
  level: z.enum(ALERT_LEVELS).optional(),
  enabled: z.boolean().optional(),
})

/** The input of deleteAlertRule. */
export const DeleteAlertRuleInput = z.object({ ruleId: z.string() })

/**
 * Sees to it that a rule has a threshold where its condition has something to compare, and a duration where it may
 * last.
 *
 * @throws ValidationError
 */
export function checkRule(rule: {
  condition: AlertCondition
  threshold: number | null
  durationSeconds: number
}): void {
  const { condition, threshold, durationSeconds } = rule
  const most = maxThresholdOf(condition)
  if (most === null && threshold !== null) {
    throw ValidationError.at('threshold', `${condition} has nothing to compare with a threshold.`)
  }
  if (most !== null && threshold === null) {
    throw ValidationError.at('threshold', `${condition} needs a threshold.`)
  }
  if (most !== null && threshold !== null && threshold > most) {
    throw ValidationError.at('threshold', `Must be at most ${most}.`)
  }
  if (isEvent(condition) && durationSeconds > 0) {
    throw ValidationError.at('durationSeconds', `${condition} happens at a moment, and lasts for no time.`)
  }
}

/** The input of acknowledgeAlert. */
export const AcknowledgeAlertInput = z.object({
  alertId: z.string(),
  note: TextInput.nullish().transform((value) => value ?? null),
})

const Address = z
  .string()
  .max(2000, 'Must have at most 2,000 characters.')
  .refine(isHttpUrl, 'Must be an address that begins with http:// or https://, without user and password.')

/** The input of createWebhook. */
export const CreateWebhookInput = z.object({
  name: OwnNameInput,
  url: Address,
  minimumLevel: z
    .enum(ALERT_LEVELS)
    .nullish()
    .transform((value) => value ?? ('INFO' as const)),
  enabled: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
})

/** The input of updateWebhook. What is left out stays as it is. */
export const UpdateWebhookInput = z.object({
  webhookId: z.string(),
  name: OwnNameInput.optional(),
  url: Address.optional(),
  minimumLevel: z.enum(ALERT_LEVELS).optional(),
  enabled: z.boolean().optional(),
  newSecret: z.boolean().optional(),
})

/** The input of deleteWebhook and testWebhook. */
export const WebhookRefInput = z.object({ webhookId: z.string() })

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return ['http:', 'https:'].includes(protocol) && username === '' && password === ''
}
