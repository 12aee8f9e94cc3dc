import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import type { NewPasswordReset, PasswordResetRequest } from './password-resets.ts'
import { keepIn, SessionType } from './sign-in.schema.ts'

/** A link as administrators get it. */
export const NewPasswordResetType = builder.objectRef<NewPasswordReset>('PasswordReset').implement({
  description: 'A link with which a person sets a new password, once. It is shown this once.',
  fields: (t) => ({
    url: t.exposeString('url', {
      description: 'The page for it: pass it on to the person, and to nobody else.',
    }),
    token: t.exposeString('token', { description: 'What resetPassword takes, for other pages.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When it stops to work.' }),
  }),
})

const PasswordResetRequestType = builder.objectRef<PasswordResetRequest>('PasswordResetRequest').implement({
  description: 'That a link was asked for; it says nothing of whether there is such an account.',
  fields: (t) => ({
    username: t.exposeString('username', { description: 'The name or address that was given.' }),
    validMinutes: t.exposeInt('validMinutes', { description: 'How long the link works, in minutes.' }),
  }),
})

const RequestPasswordResetInput = builder.inputType('RequestPasswordResetInput', {
  description: 'Whose password is forgotten.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'The username, or the email address.' }),
  }),
})

const ResetPasswordInput = builder.inputType('ResetPasswordInput', {
  description: 'The link, and the new password.',
  fields: (t) => ({
    token: t.string({ required: true, description: 'The token of the link.' }),
    newPassword: t.string({ required: true, description: 'At least 8 characters.' }),
  }),
})

const CreatePasswordResetInput = builder.inputType('CreatePasswordResetInput', {
  description: 'Who gets a link.',
  fields: (t) => ({ user: t.string({ required: true, description: 'Id or username.' }) }),
})

builder.mutationFields((t) => ({
  requestPasswordReset: t.field({
    type: PasswordResetRequestType,
    description:
      'Mails a link that sets a new password to the address of an account. Needs no token. The answer is the same when there is no such account or it has no address; UNAVAILABLE when this server sends no mail, or after several requests.',
    skipTypeScopes: true,
    errors: resultUnion('RequestPasswordResetResult', 'That a link was asked for, or why none is sent.'),
    args: {
      input: t.arg({ type: RequestPasswordResetInput, required: true, description: 'Whose it is.' }),
    },
    resolve: (_root, { input }, { services, origin }) => services.passwordResets.request(origin, input),
  }),
  resetPassword: t.field({
    type: SessionType,
    description:
      'Sets a new password with a link, once, and signs in. Needs no token. All other sign-ins of the person end; API tokens stay: revoke those that may be known to others.',
    skipTypeScopes: true,
    errors: resultUnion('ResetPasswordResult', 'A session, or why the password is the same.'),
    args: {
      input: t.arg({ type: ResetPasswordInput, required: true, description: 'Link and new password.' }),
    },
    resolve: async (_root, { input }, { services, origin, sessionCookie }) =>
      keepIn(sessionCookie, await services.passwordResets.use(origin, input)),
  }),
  createPasswordReset: t.field({
    type: NewPasswordResetType,
    description:
      'Makes a link that sets a new password, to pass on to the person. For administrators; for the account of one it takes a sign-in.',
    errors: resultUnion('CreatePasswordResetResult', 'The link, or why there is none.'),
    args: {
      input: t.arg({ type: CreatePasswordResetInput, required: true, description: 'Who gets a link.' }),
    },
    resolve: (_root, { input }, context) =>
      context.services.passwordResets.create(principalOf(context), input),
  }),
}))
