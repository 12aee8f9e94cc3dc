import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { type AlertCondition, type AlertLevel, toAlertCondition, toAlertLevel } from './conditions.ts'

/** What a rule looks for. */
export const AlertConditionEnum = builder.enumType('AlertCondition', {
  description: 'What a rule looks for.',
  values: {
    NODE_CPU: { description: 'The CPU usage of a compute node is at or above the threshold, in percent.' },
    NODE_MEMORY: {
      description: 'The memory usage of a compute node is at or above the threshold, in percent.',
    },
    NODE_DISK: {
      description: 'The disk of a compute node is as full as the threshold, in percent, or fuller.',
    },
    GPU_TEMPERATURE: {
      description: 'The hottest GPU of a compute node is at or above the threshold, in °C.',
    },
    NODE_OFFLINE: { description: 'A compute node is OFFLINE that was not stopped.' },
    RUN_FAILED: { description: 'A run failed.' },
    RUN_LOST: { description: 'A run was lost.' },
    RUN_METRIC_NOT_FINITE: {
      description:
        'The latest value of a loss of a run is not a number, or infinite. A loss is a metric with that word in its key, such as train/loss or evalLoss.',
    },
    DEPLOYMENT_UNHEALTHY: { description: 'A deployment is UNHEALTHY.' },
    DEPLOYMENT_FAILED: { description: 'A deployment is FAILED.' },
  } satisfies Record<AlertCondition, object>,
})

/** How much an alert matters. */
export const AlertLevelEnum = builder.enumType('AlertLevel', {
  description: 'How much an alert matters.',
  values: {
    INFO: { description: 'Good to know.' },
    WARNING: { description: 'Somebody should look at it.' },
    CRITICAL: { description: 'Somebody must look at it now.' },
  } satisfies Record<AlertLevel, object>,
})

/** A rule. */
export const AlertRuleType = builder.prismaNode('AlertRule', {
  description:
    'When people are to be told of something. A new server has a few; administrators change them, and make others.',
  id: { field: 'id' },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, which no other has.' }),
    condition: t.field({
      type: AlertConditionEnum,
      description: 'What it looks for.',
      resolve: ({ condition }) => toAlertCondition(condition),
    }),
    threshold: t.exposeFloat('threshold', {
      nullable: true,
      description:
        'From where on the condition holds, in percent or °C; null where there is nothing to compare.',
    }),
    durationSeconds: t.exposeInt('durationSeconds', {
      description:
        'How long the condition must hold without a break before an alert fires. Telemetry that is missing for more than a minute is a break, and so is a restart of the server.',
    }),
    level: t.field({
      type: AlertLevelEnum,
      description: 'How much its alerts matter.',
      resolve: ({ level }) => toAlertLevel(level),
    }),
    enabled: t.exposeBoolean('enabled', { description: 'Whether it has any effect.' }),
    createdBy: t.relation('createdBy', {
      nullable: true,
      description: 'Who made it; null for those that every server begins with.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
})

const AlertRuleConnection = builder.connectionObject(
  { type: AlertRuleType, name: 'AlertRuleConnection', description: 'A page of rules.' },
  { name: 'AlertRuleEdge', description: 'A rule on a page.' },
)

builder.queryField('alertRules', (t) =>
  t.prismaConnection(
    {
      type: AlertRuleType,
      cursor: 'id',
      description: 'The rules that alerts come of, the latest first.',
      totalCount: (_root, _args, context) => context.services.alertRules.count(principalOf(context)),
      resolve: (query, _root, _args, context) =>
        context.services.alertRules.list(principalOf(context), query),
    },
    AlertRuleConnection,
  ),
)

const THRESHOLD =
  'From where on the condition holds: percent for NODE_CPU, NODE_MEMORY and NODE_DISK, °C for GPU_TEMPERATURE, which need one; the others take none.'
const DURATION =
  'How long the condition must hold without a break, at most a day. What happens to a run takes none.'

const CreateAlertRuleInput = builder.inputType('CreateAlertRuleInput', {
  description: 'The rule to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Unique, at most 200 characters.' }),
    condition: t.field({ type: AlertConditionEnum, required: true, description: 'What it looks for.' }),
    threshold: t.float({ description: THRESHOLD }),
    durationSeconds: t.int({ description: `${DURATION} 0 unless given.` }),
    level: t.field({
      type: AlertLevelEnum,
      description: 'How much its alerts matter; WARNING unless given.',
    }),
    enabled: t.boolean({ description: 'Whether it has any effect; true unless given.' }),
  }),
})

const UpdateAlertRuleInput = builder.inputType('UpdateAlertRuleInput', {
  description: 'What to change of a rule. A field that is left out stays as it is.',
  fields: (t) => ({
    ruleId: t.id({ required: true, description: 'The rule.' }),
    name: t.string({ description: 'A new name.' }),
    threshold: t.float({ description: THRESHOLD }),
    durationSeconds: t.int({ description: DURATION }),
    level: t.field({
      type: AlertLevelEnum,
      description: 'How much its alerts matter that fire from now on.',
    }),
    enabled: t.boolean({
      description: 'Whether it has any effect. The open alerts of a rule that is disabled are resolved.',
    }),
  }),
})

const DeleteAlertRuleInput = builder.inputType('DeleteAlertRuleInput', {
  description: 'The rule to delete.',
  fields: (t) => ({ ruleId: t.id({ required: true, description: 'The rule.' }) }),
})

builder.mutationFields((t) => ({
  createAlertRule: t.prismaField({
    type: AlertRuleType,
    description: 'Makes a rule. For administrators.',
    errors: resultUnion('CreateAlertRuleResult', 'The new rule, or why there is none.'),
    args: { input: t.arg({ type: CreateAlertRuleInput, required: true, description: 'The rule to make.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.alertRules.create(principalOf(context), input, query),
  }),
  updateAlertRule: t.prismaField({
    type: AlertRuleType,
    description:
      'Changes a rule; alerts that are open go by it from then on. What it looks for stays: make another rule for that. For administrators.',
    errors: resultUnion('UpdateAlertRuleResult', 'The rule as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateAlertRuleInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.alertRules.update(principalOf(context), input, query),
  }),
  deleteAlertRule: t.prismaField({
    type: AlertRuleType,
    description: 'Deletes a rule; its alerts stay, resolved. For administrators.',
    errors: resultUnion('DeleteAlertRuleResult', 'The rule as it was, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteAlertRuleInput, required: true, description: 'The rule to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.alertRules.delete(principalOf(context), input, query),
  }),
}))
