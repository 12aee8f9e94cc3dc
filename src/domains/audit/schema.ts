import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { AuditActionEnum } from './actions.schema.ts'
import type { AuditExport } from './export.ts'
import type { ExportFormat } from './export-formats.ts'
import { type ActorKind, toActorKind, toAuditAction } from './record.ts'
import { seesEvents } from './service.ts'

const ActorKindEnum = builder.enumType('AuditActorKind', {
  description: 'What kind of actor did something.',
  values: {
    USER: { description: 'A person, signed in or using one of their API tokens.' },
    RUN: { description: 'The process of a run.' },
    ANONYMOUS: { description: 'Somebody who had not said who they are, such as whoever signs in.' },
    OPERATOR: { description: 'Whoever starts the server and runs its commands.' },
  } satisfies Record<ActorKind, object>,
})

const AuditEventType = builder.prismaNode('AuditEvent', {
  description:
    'Something that was done: by whom, to what, when, from where and with what. For administrators; for others there is none.',
  id: { field: 'id' },
  findUnique: (id, { principal }) => ({ id: seesEvents(principal) ? id : '' }),
  authScopes: (_event, { principal }) => seesEvents(principal),
  fields: (t) => ({
    action: t.field({
      type: AuditActionEnum,
      description: 'What was done.',
      resolve: ({ action }) => toAuditAction(action),
    }),
    at: t.expose('createdAt', { type: 'DateTime', description: 'When it was done.' }),
    actorKind: t.field({
      type: ActorKindEnum,
      description: 'What kind of actor did it.',
      resolve: ({ actorKind }) => toActorKind(actorKind),
    }),
    actor: t.prismaField({
      type: 'User',
      nullable: true,
      description: 'The person who did it; null when it was none.',
      resolve: (_query, event, _args, { services }) => services.audit.actorOf(event),
    }),
    actorId: t.exposeID('actorId', { nullable: true, description: 'Id of the person or run that did it.' }),
    actorName: t.exposeString('actorName', {
      nullable: true,
      description: 'The username of the person who did it, as it was then.',
    }),
    sessionId: t.exposeID('sessionId', {
      nullable: true,
      description: 'Id of the sign-in that it was done with.',
    }),
    tokenId: t.exposeID('tokenId', {
      nullable: true,
      description: 'Id of the API token that it was done with.',
    }),
    tokenName: t.string({
      nullable: true,
      description: 'The name of that token, as far as it is known.',
      resolve: (event, _args, { services }) => services.audit.tokenNameOf(event),
    }),
    targetKind: t.exposeString('targetKind', {
      nullable: true,
      description: 'What kind of thing it was done to, e.g. Project.',
    }),
    targetId: t.exposeID('targetId', { nullable: true, description: 'Id of what it was done to.' }),
    targetName: t.exposeString('targetName', {
      nullable: true,
      description: 'The name of what it was done to, as it was then.',
    }),
    target: t.field({
      type: builder.nodeInterfaceRef(),
      nullable: true,
      description: 'What it was done to, as it is now; null when that is gone, or has no node of its own.',
      resolve: (event, _args, { services }) => services.audit.targetOf(event),
    }),
    ipAddress: t.exposeString('address', {
      nullable: true,
      description: 'The address that it was asked from; null when it was done on the server itself.',
    }),
    userAgent: t.exposeString('userAgent', {
      nullable: true,
      description: 'What the client called itself; anything may stand here.',
    }),
    details: t.expose('details', {
      type: 'JSON',
      description: 'What else is good to know, such as which fields were changed; an object, never a secret.',
    }),
  }),
})

const AuditEventConnection = builder.connectionObject(
  { type: AuditEventType, name: 'AuditEventConnection', description: 'A page of events.' },
  { name: 'AuditEventEdge', description: 'An event on a page.' },
)

const AuditFilter = builder.inputType('AuditFilter', {
  description: 'Which events: those that match everything given.',
  fields: (t) => ({
    action: t.field({ type: [AuditActionEnum], description: 'Only of one of these actions.' }),
    actor: t.string({ description: 'Only by this person (id or username) or run (id).' }),
    target: t.string({ description: 'Only done to the thing of this id.' }),
    since: t.field({ type: 'DateTime', description: 'Only from this time on.' }),
    until: t.field({ type: 'DateTime', description: 'Only up to this time.' }),
    address: t.string({ description: 'Only asked from this address.' }),
    search: t.string({
      description: 'Only with this text in the name of the actor or the target, or in the user agent.',
    }),
  }),
})

builder.queryField('auditEvents', (t) =>
  t.prismaConnection(
    {
      type: AuditEventType,
      cursor: 'id',
      description: 'What was done on this server, the latest first. For administrators.',
      args: { filter: t.arg({ type: AuditFilter, description: 'Which events; all unless given.' }) },
      totalCount: (_root, { filter }, context) => context.services.audit.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.audit.list(principalOf(context), filter, query),
    },
    AuditEventConnection,
  ),
)

const ExportFormatEnum = builder.enumType('AuditExportFormat', {
  description: 'How a file of events is written.',
  values: {
    JSON_LINES: { description: 'A JSON object on each line, with the fields of AuditEvent.' },
    CSV: {
      description:
        'A table with a header (RFC 4180, UTF-8). Text that a spreadsheet would take for a formula begins with an apostrophe.',
    },
  } satisfies Record<ExportFormat, object>,
})

const ExportType = builder.objectRef<AuditExport>('AuditExport').implement({
  description: 'A file of events, ready to be fetched.',
  fields: (t) => ({
    url: t.exposeString('url', {
      description:
        'A signed link to the file, oldest event first. Needs no token; works as long as whoever asked for it is an administrator, and shows nothing that was done after it was made.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the link stops to work.' }),
  }),
})

const ExportAuditInput = builder.inputType('ExportAuditInput', {
  description: 'The file to make.',
  fields: (t) => ({
    filter: t.field({ type: AuditFilter, description: 'Which events; all unless given.' }),
    format: t.field({ type: ExportFormatEnum, required: true, description: 'How it is written.' }),
  }),
})

builder.mutationField('exportAudit', (t) =>
  t.field({
    type: ExportType,
    description: 'Makes a link to a file of events, and is itself one. For administrators.',
    errors: resultUnion('ExportAuditResult', 'The link, or why there is none.'),
    args: { input: t.arg({ type: ExportAuditInput, required: true, description: 'The file to make.' }) },
    resolve: (_root, { input }, context) => context.services.auditExports.create(principalOf(context), input),
  }),
)
