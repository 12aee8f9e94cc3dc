import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { type LOCALES, ROLES, type Role } from './principal.ts'
import type { NewApiToken, Session } from './service.ts'

/** The argument of every label field. */
export const LocaleEnum = builder.enumType('Locale', {
  description: 'A language that labels exist in.',
  values: {
    EN: { description: 'English.' },
    ZH_CN: { description: 'Simplified Chinese.' },
  } satisfies Record<(typeof LOCALES)[number], object>,
})

const RoleEnum = builder.enumType('Role', {
  description: 'What an account may do on this server.',
  values: {
    ADMIN: { description: 'Everything.' },
    MEMBER: { description: 'Work with projects, but not administer the server.' },
  } satisfies Record<Role, object>,
})

builder.prismaNode('User', {
  description: 'A person with an account.',
  id: { field: 'id' },
  // Whoever signs in sees themselves before they are signed in; only the process of a run sees nobody.
  authScopes: (_user, { principal }) => principal?.kind !== 'run',
  fields: (t) => ({
    username: t.exposeString('username', { description: 'The name to sign in with; unique.' }),
    email: t.exposeString('email', {
      nullable: true,
      description: 'The address, which can be signed in with too.',
    }),
    role: t.field({
      type: RoleEnum,
      description: 'What the person may do on this server.',
      resolve: (user) => ROLES.find((role) => role === user.role) ?? 'MEMBER',
    }),
    preferences: t.expose('preferences', { type: 'JSON', description: 'Settings of the user interface.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the account was made.' }),
    lastLoginAt: t.expose('lastLoginAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the person last signed in with a password.',
    }),
  }),
})

const SessionType = builder.objectRef<Session>('Session').implement({
  description: 'A sign-in.',
  fields: (t) => ({
    accessToken: t.exposeString('accessToken', {
      description:
        'Send it as `Authorization: Bearer …`, and as `{ "Authorization": "Bearer …" }` in connectionParams of a WebSocket.',
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When the token stops to work.' }),
    user: t.prismaField({
      type: 'User',
      description: 'Who signed in.',
      // The caller is not signed in yet, but has just shown who they are.
      resolve: (query, session, _args, { services }) =>
        services.accounts.viewer(
          { kind: 'user', userId: session.userId, role: 'MEMBER', expiresAt: null },
          query,
        ),
    }),
  }),
})

const ApiTokenType = builder.objectRef<NewApiToken>('ApiToken').implement({
  description: 'A long-lived token for scripts and agents. It stands for the person who made it.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Names the token without giving it away.' }),
    name: t.exposeString('name', { description: 'What it is for.' }),
    token: t.exposeString('token', {
      description: 'The secret, shown this once: only a hash of it is kept. Send it as a bearer token.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stops to work; null for never.',
    }),
  }),
})

const LoginInput = builder.inputType('LoginInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The username, or the email address.' }),
    password: t.string({ required: true, description: 'The password.' }),
  }),
})

const CreateApiTokenInput = builder.inputType('CreateApiTokenInput', {
  description: 'The token to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is for, e.g. "nightly evaluation".' }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it is to stop working; never unless given.' }),
  }),
})

builder.queryField('viewer', (t) =>
  t.prismaField({
    type: 'User',
    nullable: true,
    description: 'The person who asks.',
    resolve: (query, _root, _args, context) => context.services.accounts.viewer(principalOf(context), query),
  }),
)

builder.mutationField('login', (t) =>
  t.field({
    type: SessionType,
    description: 'Signs in with a password. Needs no token.',
    skipTypeScopes: true,
    errors: resultUnion('LoginResult', 'A session, or why there is none.'),
    args: { input: t.arg({ type: LoginInput, required: true, description: 'Who signs in.' }) },
    resolve: (_root, { input }, { services }) => services.accounts.login(input),
  }),
)

builder.mutationField('createApiToken', (t) =>
  t.field({
    type: ApiTokenType,
    description: 'Makes a long-lived token for your scripts.',
    errors: resultUnion('CreateApiTokenResult', 'The token with its secret, or why there is none.'),
    args: { input: t.arg({ type: CreateApiTokenInput, required: true, description: 'The token to make.' }) },
    resolve: (_root, { input }, context) =>
      context.services.accounts.createApiToken(principalOf(context), input),
  }),
)
