import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { toAlertLevel } from './conditions.ts'
import { type DeliveryStatus, toDeliveryStatus } from './deliveries.ts'
import { toWebhookEvent, type WebhookEvent } from './messages.ts'
import type { Outcome } from './post.ts'
import { AlertLevelEnum } from './rules.schema.ts'
import { shownSecretOf } from './webhooks.ts'

const WebhookEventEnum = builder.enumType('WebhookEvent', {
  description: 'What a webhook is told of.',
  values: {
    FIRED: { description: 'alert.fired: an alert is new.' },
    ACKNOWLEDGED: { description: 'alert.acknowledged: somebody takes care of it.' },
    RESOLVED: {
      description:
        'alert.resolved: what it is about is so no more, or somebody has acknowledged what happened to a run.',
    },
  } satisfies Record<WebhookEvent, object>,
})

const DeliveryStatusEnum = builder.enumType('WebhookDeliveryStatus', {
  description: 'Where a delivery is.',
  values: {
    PENDING: { description: 'It is to be tried, or tried again.' },
    DELIVERED: { description: 'The receiver has taken it: it answered 2xx.' },
    FAILED: { description: 'It was tried for the last time, or given up.' },
  } satisfies Record<DeliveryStatus, object>,
})

const DeliveryType = builder.prismaObject('WebhookDelivery', {
  description: 'What a webhook is to be told, or was.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The webhook-id of the message, the same at every attempt.' }),
    event: t.field({
      type: WebhookEventEnum,
      description: 'What happened.',
      resolve: ({ event }) => toWebhookEvent(event),
    }),
    alert: t.relation('alert', { description: 'To which alert.' }),
    status: t.field({
      type: DeliveryStatusEnum,
      description: 'Where it is.',
      resolve: ({ status }) => toDeliveryStatus(status),
    }),
    attempts: t.exposeInt('attempts', { description: 'How often it was tried.' }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is tried next; null when it is not tried any more.',
    }),
    lastStatus: t.exposeInt('lastStatus', {
      nullable: true,
      description: 'The HTTP status of the last answer; null without one.',
    }),
    lastError: t.exposeString('lastError', {
      nullable: true,
      description: 'Why the last attempt failed; null when it did not, and before the first.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it happened.' }),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the receiver had taken it.',
    }),
  }),
})

const DeliveryConnection = builder.connectionObject(
  { type: DeliveryType, name: 'WebhookDeliveryConnection', description: 'A page of deliveries.' },
  { name: 'WebhookDeliveryEdge', description: 'A delivery on a page.' },
)

/** A webhook. */
export const WebhookType = builder.prismaNode('Webhook', {
  description:
    'An address that is told of alerts by POST, signed as the Standard Webhooks specification has it. For administrators.',
  id: { field: 'id' },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, which no other has.' }),
    url: t.exposeString('url', {
      description: 'The address. It may be of the network of the server: whom to tell is theirs to say.',
    }),
    secret: t.string({
      nullable: true,
      description:
        'What its messages are signed with, only on what createWebhook gives, and updateWebhook when it makes a new one: what is kept is sealed.',
      resolve: shownSecretOf,
    }),
    minimumLevel: t.field({
      type: AlertLevelEnum,
      description: 'It is told of alerts of this level and above.',
      resolve: ({ minimumLevel }) => toAlertLevel(minimumLevel),
    }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether it is told of anything.' }),
    deliveries: t.prismaConnection(
      {
        type: DeliveryType,
        cursor: 'id',
        description: 'What it was, or is to be, told, the latest first; kept as long as the alerts.',
        totalCount: ({ id }, _args, context) =>
          context.services.webhooks.countDeliveries(principalOf(context), id),
        resolve: (query, { id }, _args, context) =>
          context.services.webhooks.deliveries(principalOf(context), id, query),
      },
      DeliveryConnection,
    ),
    createdBy: t.relation('createdBy', { description: 'Who made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
})

const WebhookConnection = builder.connectionObject(
  { type: WebhookType, name: 'WebhookConnection', description: 'A page of webhooks.' },
  { name: 'WebhookEdge', description: 'A webhook on a page.' },
)

builder.queryField('webhooks', (t) =>
  t.prismaConnection(
    {
      type: WebhookType,
      cursor: 'id',
      description: 'The addresses that are told of alerts, the latest first. For administrators.',
      totalCount: (_root, _args, context) => context.services.webhooks.count(principalOf(context)),
      resolve: (query, _root, _args, context) => context.services.webhooks.list(principalOf(context), query),
    },
    WebhookConnection,
  ),
)

const TestType = builder.objectRef<Outcome>('WebhookTest').implement({
  description: 'What came of a message that was sent to try a webhook.',
  fields: (t) => ({
    delivered: t.boolean({
      description: 'Whether the receiver has taken it: it answered 2xx.',
      resolve: ({ error }) => error === null,
    }),
    status: t.exposeInt('status', {
      nullable: true,
      description: 'The HTTP status of the answer; null without one.',
    }),
    error: t.exposeString('error', { nullable: true, description: 'Why it was not delivered.' }),
  }),
})

const URL_DESCRIPTION =
  'An address that begins with http:// or https://. Addresses of the network of the server are allowed.'

const CreateWebhookInput = builder.inputType('CreateWebhookInput', {
  description: 'The webhook to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Unique, at most 200 characters.' }),
    url: t.string({ required: true, description: URL_DESCRIPTION }),
    minimumLevel: t.field({
      type: AlertLevelEnum,
      description: 'It is told of alerts of this level and above: INFO, which is all, unless given.',
    }),
    enabled: t.boolean({ description: 'Whether it is told of anything; true unless given.' }),
  }),
})

const UpdateWebhookInput = builder.inputType('UpdateWebhookInput', {
  description: 'What to change of a webhook. A field that is left out stays as it is.',
  fields: (t) => ({
    webhookId: t.id({ required: true, description: 'The webhook.' }),
    name: t.string({ description: 'A new name.' }),
    url: t.string({ description: `${URL_DESCRIPTION} What was not delivered yet goes there too.` }),
    minimumLevel: t.field({
      type: AlertLevelEnum,
      description: 'It is told of alerts of this level and above.',
    }),
    enabled: t.boolean({
      description:
        'Whether it is told of anything. What one that is disabled was still to be told is given up.',
    }),
    newSecret: t.boolean({
      description: 'True makes another secret; messages are signed with that from then on.',
    }),
  }),
})

const DeleteWebhookInput = builder.inputType('DeleteWebhookInput', {
  description: 'The webhook to delete.',
  fields: (t) => ({ webhookId: t.id({ required: true, description: 'The webhook.' }) }),
})

const TestWebhookInput = builder.inputType('TestWebhookInput', {
  description: 'The webhook to try.',
  fields: (t) => ({ webhookId: t.id({ required: true, description: 'The webhook.' }) }),
})

builder.mutationFields((t) => ({
  createWebhook: t.prismaField({
    type: WebhookType,
    description: 'Makes a webhook, and the secret that its messages are signed with. For administrators.',
    errors: resultUnion('CreateWebhookResult', 'The webhook with its secret, or why there is none.'),
    args: {
      input: t.arg({ type: CreateWebhookInput, required: true, description: 'The webhook to make.' }),
    },
    resolve: (_query, _root, { input }, context) =>
      context.services.webhooks.create(principalOf(context), input),
  }),
  updateWebhook: t.prismaField({
    type: WebhookType,
    description: 'Changes a webhook. For administrators.',
    errors: resultUnion('UpdateWebhookResult', 'The webhook as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateWebhookInput, required: true, description: 'What to change.' }) },
    resolve: (_query, _root, { input }, context) =>
      context.services.webhooks.update(principalOf(context), input),
  }),
  deleteWebhook: t.prismaField({
    type: WebhookType,
    description: 'Deletes a webhook, with all that it was still to be told. For administrators.',
    errors: resultUnion('DeleteWebhookResult', 'The webhook as it was, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteWebhookInput, required: true, description: 'The webhook to delete.' }),
    },
    resolve: (_query, _root, { input }, context) =>
      context.services.webhooks.delete(principalOf(context), input),
  }),
  testWebhook: t.field({
    type: TestType,
    description:
      'Sends a webhook.test message, once, and waits for the answer, at most 10 s. For administrators.',
    errors: resultUnion('TestWebhookResult', 'What came of it, or why nothing was sent.'),
    args: { input: t.arg({ type: TestWebhookInput, required: true, description: 'The webhook to try.' }) },
    resolve: (_root, { input }, context) => context.services.webhooks.test(principalOf(context), input),
  }),
}))
