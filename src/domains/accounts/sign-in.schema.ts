import { UnauthenticatedError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import type { SessionCookie } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import type { StartedSession } from './sessions.ts'

/** A sign-in as who signs in gets it. */
export const SessionType = builder.objectRef<StartedSession>('Session').implement({
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

/** Lets the browser keep a sign-in. */
export function keepIn(cookie: SessionCookie, session: StartedSession): StartedSession {
  cookie.set(session.refreshToken, session.refreshExpiresAt)
  return session
}

const LoginInput = builder.inputType('LoginInput', {
  description: 'Who signs in.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The username, or the email address.' }),
    password: t.string({ required: true, description: 'The password.' }),
  }),
})

const RegisterInput = builder.inputType('RegisterInput', {
  description: 'The account to make for oneself.',
  fields: (t) => ({
    email: t.string({
      description: 'The address, which can be signed in with too; that of the invitation unless given.',
    }),
    username: t.string({
      required: true,
      description:
        'At most 63 letters, digits, dots, hyphens and underscores, kept in lower case; it begins with a letter or digit.',
    }),
    password: t.string({ required: true, description: 'At least 8 characters.' }),
    invitationToken: t.string({
      description: 'The token of an invitation; needed where registration takes one.',
    }),
  }),
})

builder.mutationFields((t) => ({
  login: t.field({
    type: SessionType,
    description:
      'Signs in with a password. Needs no token. After five wrong ones for a name, UNAVAILABLE until a pause is over that doubles with every further one, and so it is after many from one address. Somebody whose password others know (User.mustChangePassword) can then do nothing but changePassword.',
    skipTypeScopes: true,
    errors: resultUnion('LoginResult', 'A session, or why there is none.'),
    args: { input: t.arg({ type: LoginInput, required: true, description: 'Who signs in.' }) },
    resolve: async (_root, { input }, { services, origin, sessionCookie }) =>
      keepIn(sessionCookie, await services.accounts.login(origin, input)),
  }),
  register: t.field({
    type: SessionType,
    description:
      'Makes an account and signs in, as TRAINYARD_REGISTRATION allows it: with an invitation, for everybody, or not at all. Needs no token. A name or address that is taken is a conflict, which does not tell which of the two it is.',
    skipTypeScopes: true,
    errors: resultUnion('RegisterResult', 'A session, or why there is no account.'),
    args: { input: t.arg({ type: RegisterInput, required: true, description: 'The account to make.' }) },
    resolve: async (_root, { input }, { services, origin, sessionCookie }) =>
      keepIn(sessionCookie, await services.registration.register(origin, input)),
  }),
  refreshSession: t.field({
    type: SessionType,
    description:
      'Goes on with a sign-in before its access token ends. Needs no token but the cookie that login set, which changes with every call: one that was used before the last ends the whole sign-in, because somebody has a copy. For a minute the last one still counts, so a lost answer does no harm. UNAUTHENTICATED when there is no sign-in any more.',
    skipTypeScopes: true,
    errors: resultUnion('RefreshSessionResult', 'The session with a new access token.'),
    resolve: async (_root, _args, { services, origin, sessionCookie }) => {
      try {
        return keepIn(sessionCookie, await services.sessions.refresh(sessionCookie.read(), origin))
      } catch (error) {
        if (error instanceof UnauthenticatedError) sessionCookie.clear()
        throw error
      }
    },
  }),
  logout: t.boolean({
    description:
      'Ends the sign-in of the access token and that of the cookie, and what hangs on them. Needs neither: true as well when there was nothing to end. An API token is not ended by it.',
    skipTypeScopes: true,
    resolve: async (_root, _args, { services, principal, origin, sessionCookie }) => {
      await services.sessions.logout(principal, sessionCookie.read(), origin)
      sessionCookie.clear()
      return true
    },
  }),
}))
