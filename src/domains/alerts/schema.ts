import { NotFoundError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { type AlertStatus, alertStatus } from './alerts.ts'
import { toAlertCondition, toAlertLevel } from './conditions.ts'
import { AlertConditionEnum, AlertLevelEnum } from './rules.schema.ts'

const AlertStatusEnum = builder.enumType('AlertStatus', {
  description: 'How an alert stands, whoever has acknowledged it.',
  values: {
    OPEN: { description: 'What it is about is still so.' },
    RESOLVED: {
      description:
        'What it is about is so no more. What happened to a run does not pass by itself: it is resolved when somebody acknowledges it.',
    },
  } satisfies Record<AlertStatus, object>,
})

/** An alert. */
export const AlertType = builder.prismaNode('Alert', {
  description:
    'Something that people are to be told of, as it was when it fired. Who may see the project that it is about sees it; one about no project, everybody signed in.',
  id: { field: 'id' },
  fields: (t) => ({
    condition: t.field({
      type: AlertConditionEnum,
      description: 'What was found.',
      resolve: ({ condition }) => toAlertCondition(condition),
    }),
    level: t.field({
      type: AlertLevelEnum,
      description: 'How much it matters.',
      resolve: ({ level }) => toAlertLevel(level),
    }),
    status: t.field({ type: AlertStatusEnum, description: 'How it stands.', resolve: alertStatus }),
    message: t.exposeString('message', { description: 'What is the matter, for people, in English.' }),
    value: t.exposeFloat('value', {
      nullable: true,
      description:
        'What was measured when it fired, in the unit of the threshold; null where nothing is measured.',
    }),
    subjectKind: t.exposeString('subjectKind', {
      description: 'What kind of thing it is about: ComputeNode, Run or Deployment.',
    }),
    subjectId: t.exposeID('subjectId', { description: 'Id of what it is about, for node.' }),
    subjectName: t.exposeString('subjectName', {
      description: 'The name of what it is about, as it was then.',
    }),
    project: t.relation('project', {
      nullable: true,
      description: 'The project that it is about; null for compute nodes, and for what is in no project.',
    }),
    rule: t.relation('rule', {
      nullable: true,
      description: 'The rule that it comes of; null when that is deleted.',
    }),
    firedAt: t.expose('firedAt', { type: 'DateTime', description: 'When it fired.' }),
    resolvedAt: t.expose('resolvedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was resolved; null while it is open.',
    }),
    acknowledgedAt: t.expose('acknowledgedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When somebody said that they take care of it; null when nobody has.',
    }),
    acknowledgedBy: t.relation('acknowledgedBy', {
      nullable: true,
      description: 'Who takes care of it.',
    }),
    note: t.exposeString('note', { nullable: true, description: 'What they said to it.' }),
  }),
})

const AlertConnection = builder.connectionObject(
  { type: AlertType, name: 'AlertConnection', description: 'A page of alerts.' },
  { name: 'AlertEdge', description: 'An alert on a page.' },
)

const AlertFilter = builder.inputType('AlertFilter', {
  description: 'Which alerts: those that match everything given.',
  fields: (t) => ({
    level: t.field({ type: AlertLevelEnum, description: 'Only of this level.' }),
    status: t.field({ type: AlertStatusEnum, description: 'Only those that stand so.' }),
    acknowledged: t.boolean({ description: 'Only those that somebody has acknowledged, or nobody has.' }),
    condition: t.field({ type: AlertConditionEnum, description: 'Only of this condition.' }),
    subject: t.id({ description: 'Only about this compute node, run or deployment.' }),
    project: t.string({ description: 'Only about what is in this project: its id or name.' }),
  }),
})

builder.queryFields((t) => ({
  alert: t.prismaField({
    type: AlertType,
    nullable: true,
    description: 'An alert; null when there is none, or not for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, context) => context.services.alerts.find(principalOf(context), id, query),
  }),
  alerts: t.prismaConnection(
    {
      type: AlertType,
      cursor: 'id',
      description: 'Alerts that you may see, the latest first.',
      args: { filter: t.arg({ type: AlertFilter, description: 'Which alerts; all unless given.' }) },
      totalCount: (_root, { filter }, context) => context.services.alerts.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.alerts.list(principalOf(context), filter, query),
    },
    AlertConnection,
  ),
}))

const AcknowledgeAlertInput = builder.inputType('AcknowledgeAlertInput', {
  description: 'The alert that somebody takes care of.',
  fields: (t) => ({
    alertId: t.id({ required: true, description: 'The alert.' }),
    note: t.string({ description: 'What is to be said to it, such as the cause.' }),
  }),
})

builder.mutationField('acknowledgeAlert', (t) =>
  t.prismaField({
    type: AlertType,
    description:
      'Says that you take care of an alert. For the editors of its project; of one about a compute node, for administrators.',
    errors: resultUnion('AcknowledgeAlertResult', 'The alert as it is now, or why it was not acknowledged.'),
    args: { input: t.arg({ type: AcknowledgeAlertInput, required: true, description: 'The alert.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.alerts.acknowledge(principalOf(context), input, query),
  }),
)

builder.subscriptionField('alertUpdated', (t) =>
  t.prismaField({
    type: AlertType,
    description:
      'The alerts that you may see: at once those that are open, then each that fires, is acknowledged or resolved. A slow reader gets the latest state of each, not every one in between.',
    subscribe: (_root, _args, context) => context.services.alertWatcher.updates(principalOf(context)),
    resolve: async (query, { id }, _args, context) => {
      const alert = await context.services.alerts.find(principalOf(context), id, query)
      if (!alert) throw new NotFoundError('alert', id)
      return alert
    },
  }),
)
