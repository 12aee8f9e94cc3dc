import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { ProjectRoleEnum } from '../projects/members.schema.ts'
import { toProjectRole } from '../projects/roles.ts'
import { RoleEnum } from './enums.schema.ts'
import { secretsOf } from './invitations.ts'
import { ROLES } from './principal.ts'

const InvitationType = builder.prismaNode('Invitation', {
  description: 'A link with which somebody makes an account of their own, once. For administrators.',
  id: { field: 'id' },
  fields: (t) => ({
    email: t.exposeString('email', {
      nullable: true,
      description: 'The only address that it is for; null for anybody.',
    }),
    role: t.field({
      type: RoleEnum,
      description: 'The role of the new account.',
      resolve: (invitation) => ROLES.find((role) => role === invitation.role) ?? 'MEMBER',
    }),
    project: t.relation('project', {
      nullable: true,
      description: 'The project that the new account gets into, while there is one.',
    }),
    projectRole: t.field({
      type: ProjectRoleEnum,
      nullable: true,
      description: 'What it may do there.',
      resolve: (invitation) =>
        invitation.projectRole === null ? null : toProjectRole(invitation.projectRole),
    }),
    url: t.string({
      nullable: true,
      description: 'The page for it, only on what createInvitation gives: pass it on to nobody else.',
      resolve: (invitation) => secretsOf(invitation)?.url ?? null,
    }),
    token: t.string({
      nullable: true,
      description: 'What register takes, only on what createInvitation gives.',
      resolve: (invitation) => secretsOf(invitation)?.token ?? null,
    }),
    invitedBy: t.relation('invitedBy', { description: 'Who made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops to work.' }),
    acceptedAt: t.expose('acceptedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When an account was made with it; null while none is.',
    }),
    acceptedBy: t.relation('acceptedBy', {
      nullable: true,
      description: 'The account that was made with it.',
    }),
  }),
})

const InvitationConnection = builder.connectionObject(
  { type: InvitationType, name: 'InvitationConnection', description: 'A page of invitations.' },
  { name: 'InvitationEdge', description: 'An invitation on a page.' },
)

builder.queryField('invitations', (t) =>
  t.prismaConnection(
    {
      type: InvitationType,
      cursor: 'id',
      description: 'All invitations, open, accepted and expired, the latest first. For administrators.',
      totalCount: (_root, _args, context) => context.services.invitations.count(principalOf(context)),
      resolve: (query, _root, _args, context) =>
        context.services.invitations.list(principalOf(context), query),
    },
    InvitationConnection,
  ),
)

const CreateInvitationInput = builder.inputType('CreateInvitationInput', {
  description: 'Whom to invite.',
  fields: (t) => ({
    email: t.string({ description: 'The only address that it is for; anybody with the link unless given.' }),
    role: t.field({ type: RoleEnum, description: 'The role of the new account; MEMBER unless given.' }),
    project: t.string({ description: 'Id or name of a project that the new account gets into.' }),
    projectRole: t.field({
      type: ProjectRoleEnum,
      description: 'What it may do there; VIEWER unless given.',
    }),
    sendMail: t.boolean({ description: 'Whether to mail the link to the address; false unless given.' }),
  }),
})

const RevokeInvitationInput = builder.inputType('RevokeInvitationInput', {
  description: 'The invitation to take back.',
  fields: (t) => ({ invitationId: t.id({ required: true, description: 'Its id.' }) }),
})

builder.mutationFields((t) => ({
  createInvitation: t.prismaField({
    type: InvitationType,
    description:
      'Makes a link with which somebody makes an account, once, within seven days. For administrators.',
    errors: resultUnion('CreateInvitationResult', 'The invitation with its link, or why there is none.'),
    args: { input: t.arg({ type: CreateInvitationInput, required: true, description: 'Whom to invite.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.invitations.create(principalOf(context), input, query),
  }),
  revokeInvitation: t.prismaField({
    type: InvitationType,
    description: 'Takes back an invitation that was not accepted. For administrators.',
    errors: resultUnion('RevokeInvitationResult', 'The invitation as it was, or why it still is.'),
    args: {
      input: t.arg({ type: RevokeInvitationInput, required: true, description: 'The one to take back.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.invitations.revoke(principalOf(context), input, query),
  }),
}))
