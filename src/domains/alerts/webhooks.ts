import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { NotFoundError } from '../../errors.ts'
import type { Prisma, Webhook, WebhookDelivery } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { webhookPurpose } from '../../secrets/sealed-columns.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import { isAdministrator, type Principal, requireAdministrator, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { refuseTakenName } from '../names.ts'
import { CreateWebhookInput, UpdateWebhookInput, WebhookRefInput } from './inputs.ts'
import { testMessage } from './messages.ts'
import { type Outcome, post } from './post.ts'
import { newWebhookSecret } from './webhook-signature.ts'

/** A webhook with its secret, which is shown once: what is kept is sealed. */
export type NewWebhook = Webhook & { shownSecret: string }

/** The secret of a webhook that was given one just now; null for all others. */
export function shownSecretOf(webhook: Webhook | NewWebhook): string | null {
  return 'shownSecret' in webhook ? webhook.shownSecret : null
}

type Page<Arguments> = Pick<
  Arguments,
  Extract<keyof Arguments, 'include' | 'select' | 'cursor' | 'take' | 'skip'>
>

/** The addresses that are told of alerts, which are for administrators alone. */
export function createWebhookService(deps: { database: Database; sealer: Sealer; now: () => Date }) {
  const { database, sealer, now } = deps
  const { prisma } = database

  const newSecretOf = (id: string) => {
    const shownSecret = newWebhookSecret()
    return { shownSecret, secret: sealer.seal(shownSecret, webhookPurpose(id)) }
  }

  return {
    /** A webhook by id, for administrators; null for others, and when there is none. */
    async find(principal: Principal, id: string): Promise<Webhook | null> {
      requireUser(principal, 'READ')
      return isAdministrator(principal) ? prisma.webhook.findUnique({ where: { id } }) : null
    },

    /** All webhooks, the latest first. @throws ForbiddenError but for administrators */
    async list(principal: Principal, query: Page<Prisma.WebhookFindManyArgs> = {}): Promise<Webhook[]> {
      requireAdministrator(principal)
      return prisma.webhook.findMany(latestFirst(query, {}))
    },

    async count(principal: Principal): Promise<number> {
      requireAdministrator(principal)
      return prisma.webhook.count()
    },

    /** What a webhook was, or is to be, told, the latest first. @throws ForbiddenError but for administrators */
    async deliveries(
      principal: Principal,
      webhookId: string,
      query: Page<Prisma.WebhookDeliveryFindManyArgs> = {},
    ): Promise<WebhookDelivery[]> {
      requireAdministrator(principal)
      return prisma.webhookDelivery.findMany(latestFirst(query, { webhookId }))
    },

    async countDeliveries(principal: Principal, webhookId: string): Promise<number> {
      requireAdministrator(principal)
      return prisma.webhookDelivery.count({ where: { webhookId } })
    },

    /** @throws ForbiddenError but for administrators, ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown): Promise<NewWebhook> {
      const { userId } = requireAdministrator(principal)
      const fields = parseInput(CreateWebhookInput, input)
      const id = newId('Webhook')
      const { secret, shownSecret } = newSecretOf(id)
      const webhook = await refuseTakenName('a webhook', fields.name, () =>
        database.transaction(async (tx) => {
          const at = now()
          const made = await tx.webhook.create({
            data: { ...fields, id, secret, createdById: userId, createdAt: at, updatedAt: at },
          })
          await recordEvent(tx, principal, {
            action: 'WEBHOOK_CREATED',
            target: targetOf(made),
            details: { host: new URL(fields.url).host, minimumLevel: fields.minimumLevel },
          })
          return made
        }),
      )
      return { ...webhook, shownSecret }
    },

    /**
     * Changes the fields that are given. What a webhook that is disabled was still to be told is given up.
     *
     * @throws ForbiddenError but for administrators, NotFoundError, ValidationError, ConflictError
     */
    async update(principal: Principal, input: unknown): Promise<Webhook | NewWebhook> {
      requireAdministrator(principal)
      const { webhookId: id, newSecret, ...fields } = parseInput(UpdateWebhookInput, input)
      const given = newSecret ? newSecretOf(id) : null
      const webhook = await refuseTakenName('a webhook', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const before = await requireWebhook(tx, id)
          if (fields.enabled === false) {
            await tx.webhookDelivery.updateMany({
              where: { webhookId: id, status: 'PENDING' },
              data: { status: 'FAILED', nextAttemptAt: null, lastError: 'The webhook was disabled.' },
            })
          }
          await recordEvent(tx, principal, {
            action: 'WEBHOOK_UPDATED',
            target: targetOf(before),
            details: {
              fields: Object.keys(fields),
              ...(fields.url && { host: new URL(fields.url).host }),
              ...(given && { newSecret: true }),
            },
          })
          return tx.webhook.update({
            where: { id },
            data: { ...fields, ...(given && { secret: given.secret }), updatedAt: now() },
          })
        }),
      )
      return given ? { ...webhook, shownSecret: given.shownSecret } : webhook
    },

    /**
     * Removes a webhook with its deliveries, also those that are still to be made.
     *
     * @returns the webhook as it was
     * @throws ForbiddenError but for administrators, NotFoundError
     */
    async delete(principal: Principal, input: unknown): Promise<Webhook> {
      requireAdministrator(principal)
      const { webhookId: id } = parseInput(WebhookRefInput, input)
      return database.transaction(async (tx) => {
        const webhook = await requireWebhook(tx, id)
        await tx.webhook.delete({ where: { id } })
        await recordEvent(tx, principal, { action: 'WEBHOOK_DELETED', target: targetOf(webhook) })
        return webhook
      })
    },

    /**
     * Sends a message that is about nothing, once, whether the webhook is enabled or not.
     *
     * @throws ForbiddenError but for administrators, NotFoundError
     */
    async test(principal: Principal, input: unknown): Promise<Outcome> {
      requireAdministrator(principal)
      const { webhookId } = parseInput(WebhookRefInput, input)
      // Before it is sent: a message that nobody is known to have sent would be worse than one that was not.
      const { url, secret, name } = await database.transaction(async (tx) => {
        const found = await requireWebhook(tx, webhookId)
        await recordEvent(tx, principal, { action: 'WEBHOOK_TESTED', target: targetOf(found) })
        return found
      })
      const at = now()
      const message = {
        url,
        secret: sealer.open(secret, webhookPurpose(webhookId)),
        id: newId('WebhookDelivery'),
        body: testMessage({ id: webhookId, name }, at),
      }
      return post(message, at, new AbortController().signal)
    },
  }
}

async function requireWebhook(tx: Transaction, id: string): Promise<Webhook> {
  const webhook = await tx.webhook.findUnique({ where: { id } })
  if (!webhook) throw new NotFoundError('webhook', id)
  return webhook
}

const targetOf = ({ id, name }: Webhook) => ({ kind: 'Webhook' as const, id, name })
