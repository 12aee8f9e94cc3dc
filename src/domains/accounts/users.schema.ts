import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { storedObject } from '../input.ts'
import { RoleEnum } from './enums.schema.ts'
import { ROLES } from './principal.ts'
import { requireSightOf, seesPrivately } from './users.ts'

/** A person with an account. */
export const UserType = builder.prismaNode('User', {
  description:
    'A person with an account. Everybody signed in sees who others are; what is said to be private only they themselves and administrators see.',
  id: { field: 'id' },
  authScopes: (user, { principal }) => {
    requireSightOf(principal, user.id)
    return true
  },
  fields: (t) => ({
    username: t.exposeString('username', {
      description: 'The name to sign in with; unique. `deleted:` and the id once the account was deleted.',
    }),
    email: t.string({
      nullable: true,
      description: 'The address, which can be signed in with too. Private: null for others.',
      resolve: (user, _args, { principal }) => (seesPrivately(principal, user.id) ? user.email : null),
    }),
    role: t.field({
      type: RoleEnum,
      description: 'What the person may do on this server.',
      resolve: (user) => ROLES.find((role) => role === user.role) ?? 'MEMBER',
    }),
    preferences: t.field({
      type: 'JSON',
      description:
        'Settings of the user interface, as updatePreferences set them: theme, language, notifications. Private: {} for others.',
      resolve: (user, _args, { principal }) =>
        seesPrivately(principal, user.id) ? storedObject(user.preferences) : {},
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the account was made.' }),
    mustChangePassword: t.boolean({
      nullable: true,
      description:
        'Whether the person can do nothing but changePassword, because others know the password. Private: null for others.',
      resolve: (user, _args, { principal }) =>
        seesPrivately(principal, user.id) ? user.mustChangePassword : null,
    }),
    lastLoginAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the person last signed in with a password. Private: null for others.',
      resolve: (user, _args, { principal }) => (seesPrivately(principal, user.id) ? user.lastLoginAt : null),
    }),
    deactivatedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when the account cannot be used; null while it can. Private: null for others.',
      resolve: (user, _args, { principal }) =>
        seesPrivately(principal, user.id) ? user.deactivatedAt : null,
    }),
  }),
})

const UserConnection = builder.connectionObject(
  { type: UserType, name: 'UserConnection', description: 'A page of accounts.' },
  { name: 'UserEdge', description: 'An account on a page.' },
)

const UserFilter = builder.inputType('UserFilter', {
  description: 'Which accounts: those that match everything given.',
  fields: (t) => ({
    search: t.string({ description: 'Only with this text in username or address.' }),
    role: t.field({ type: RoleEnum, description: 'Only with this role.' }),
    active: t.boolean({ description: 'true: only those that can be used; false: only deactivated ones.' }),
  }),
})

builder.queryFields((t) => ({
  viewer: t.prismaField({
    type: UserType,
    nullable: true,
    description: 'The person who asks.',
    resolve: (query, _root, _args, context) => context.services.accounts.viewer(principalOf(context), query),
  }),
  user: t.prismaField({
    type: UserType,
    nullable: true,
    description: 'A person, for example to share a project with; null when there is none.',
    args: { ref: t.arg.string({ required: true, description: 'Id or username.' }) },
    resolve: (query, _root, { ref }, context) =>
      context.services.users.find(principalOf(context), ref, query),
  }),
  users: t.prismaConnection(
    {
      type: UserType,
      cursor: 'id',
      description: 'All accounts, the latest first, without deleted ones. For administrators.',
      args: { filter: t.arg({ type: UserFilter, description: 'Which accounts; all unless given.' }) },
      totalCount: (_root, { filter }, context) => context.services.users.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.users.list(principalOf(context), filter, query),
    },
    UserConnection,
  ),
}))
