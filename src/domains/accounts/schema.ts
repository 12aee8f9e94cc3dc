import { UnauthenticatedError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { type NewApiToken, scopesOf } from './api-tokens.ts'
import { type LOCALES, ROLES, type Role, type Scope } from './principal.ts'
import type { StartedSession } from './sessions.ts'

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

const ScopeEnum = builder.enumType('ApiTokenScope', {
  description: 'What an API token may be used for; never for more than its person may do.',
  values: {
    READ: { description: 'Reading and watching.' },
    RUN: { description: 'READ, and all work with projects, datasets and runs.' },
    ADMIN: {
      description: 'RUN, and the account and the powers of an administrator, where the person is one.',
    },
    AGENT: { description: 'What the agent on a compute node needs, and nothing else.' },
  } satisfies Record<Scope, object>,
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
    mustChangePassword: t.exposeBoolean('mustChangePassword', {
      description: 'Whether the person can do nothing but changePassword, because others know the password.',
    }),
    lastLoginAt: t.expose('lastLoginAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the person last signed in with a password.',
    }),
  }),
})

const SessionType = builder.objectRef<StartedSession>('Session').implement({
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
      resolve: (query, session, _args, { services }) => services.accounts.ofSession(session, query),
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
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What it may be used for.',
      resolve: scopesOf,
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
    scopes: t.field({ type: [ScopeEnum], description: 'What it may be used for; RUN unless given.' }),
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
    resolve: async (_root, { input }, { services, origin, sessionCookie }) => {
      const session = await services.accounts.login(origin, input)
      sessionCookie.set(session.refreshToken, session.refreshExpiresAt)
      return session
    },
  }),
)

builder.mutationField('refreshSession', (t) =>
  t.field({
    type: SessionType,
    description:
      'Goes on with a sign-in before its access token ends. Needs no token but the cookie that login set, which changes with every call: one that was used before the last ends the whole sign-in, because somebody has a copy. For a minute the last one still counts, so a lost answer does no harm. UNAUTHENTICATED when there is no sign-in any more.',
    skipTypeScopes: true,
    errors: resultUnion('RefreshSessionResult', 'The session with a new access token.'),
    resolve: async (_root, _args, { services, origin, sessionCookie }) => {
      try {
        const session = await services.sessions.refresh(sessionCookie.read(), origin)
        sessionCookie.set(session.refreshToken, session.refreshExpiresAt)
        return session
      } catch (error) {
        if (error instanceof UnauthenticatedError) sessionCookie.clear()
        throw error
      }
    },
  }),
)

builder.mutationField('createApiToken', (t) =>
  t.field({
    type: ApiTokenType,
    description: 'Makes a long-lived token for your scripts.',
    errors: resultUnion('CreateApiTokenResult', 'The token with its secret, or why there is none.'),
    args: { input: t.arg({ type: CreateApiTokenInput, required: true, description: 'The token to make.' }) },
    resolve: (_root, { input }, context) => context.services.apiTokens.create(principalOf(context), input),
  }),
)
