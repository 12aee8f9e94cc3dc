import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { UserType } from './users.schema.ts'

const UserSessionType = builder.prismaNode('UserSession', {
  description: 'A sign-in on one device, which goes on until it is not used for long or is ended.',
  id: { field: 'id' },
  fields: (t) => ({
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the person signed in.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      description: 'When it was last gone on with: at the sign-in, or a refreshSession since.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends unless it is gone on with before.',
    }),
    ipAddress: t.exposeString('address', {
      nullable: true,
      description: 'The network address that it was last gone on with from.',
    }),
    userAgent: t.exposeString('userAgent', {
      nullable: true,
      description: 'What the browser or program calls itself.',
    }),
    isCurrent: t.boolean({
      description: 'Whether it is the one that asks.',
      resolve: ({ id }, _args, { principal }) =>
        principal?.credential.kind === 'session' && principal.credential.id === id,
    }),
  }),
})

const UserSessionConnection = builder.connectionObject(
  { type: UserSessionType, name: 'UserSessionConnection', description: 'A page of sign-ins.' },
  { name: 'UserSessionEdge', description: 'A sign-in on a page.' },
)

builder.prismaObjectField(UserType, 'sessions', (t) =>
  t.prismaConnection(
    {
      type: UserSessionType,
      cursor: 'id',
      description: 'The sign-ins that go on, the latest first. Private: empty for others.',
      totalCount: (user, _args, { services, principal }) => services.sessions.count(principal, user.id),
      resolve: (query, user, _args, { services, principal }) =>
        services.sessions.list(principal, user.id, query),
    },
    UserSessionConnection,
  ),
)

const RevokeSessionInput = builder.inputType('RevokeSessionInput', {
  description: 'The sign-in to end.',
  fields: (t) => ({ sessionId: t.id({ required: true, description: 'Its id.' }) }),
})

const LogoutEverywhereInput = builder.inputType('LogoutEverywhereInput', {
  description: 'Which sign-ins to end.',
  fields: (t) => ({
    exceptCurrent: t.boolean({ description: 'Whether the one that asks goes on; false unless given.' }),
  }),
})

builder.mutationFields((t) => ({
  revokeSession: t.prismaField({
    type: UserSessionType,
    description:
      'Ends a sign-in of yours, or as an administrator anybody’s, at once: its tokens stop to work, its subscriptions end.',
    errors: resultUnion('RevokeSessionResult', 'The sign-in as it was, or why it goes on.'),
    args: { input: t.arg({ type: RevokeSessionInput, required: true, description: 'The sign-in to end.' }) },
    resolve: (_query, _root, { input }, context) =>
      context.services.sessions.revoke(principalOf(context), input),
  }),
  logoutEverywhere: t.prismaField({
    type: UserType,
    description: 'Ends all your sign-ins at once, on all devices. API tokens stay.',
    errors: resultUnion('LogoutEverywhereResult', 'Your account, or why the sign-ins go on.'),
    args: {
      input: t.arg({ type: LogoutEverywhereInput, required: true, description: 'Which sign-ins to end.' }),
    },
    resolve: async (query, _root, { input }, context) => {
      const { services, sessionCookie } = context
      const { endedOwn } = await services.sessions.logoutEverywhere(principalOf(context), input)
      if (endedOwn) sessionCookie.clear()
      return services.accounts.viewer(principalOf(context), query)
    },
  }),
}))
