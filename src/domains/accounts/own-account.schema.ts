import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { LocaleEnum, ThemeEnum } from './enums.schema.ts'
import { UserType } from './users.schema.ts'

const NotificationsInput = builder.inputType('NotificationsInput', {
  description: 'What to be told of. What is left out stays.',
  fields: (t) => ({
    runFinished: t.boolean({ description: 'Whether to be told when a run of one’s own succeeds.' }),
    runFailed: t.boolean({ description: 'Whether to be told when a run of one’s own fails.' }),
  }),
})

const UpdatePreferencesInput = builder.inputType('UpdatePreferencesInput', {
  description: 'Settings of the user interface. What is left out stays.',
  fields: (t) => ({
    theme: t.field({ type: ThemeEnum, description: 'How it looks.' }),
    language: t.field({ type: LocaleEnum, description: 'Its language.' }),
    notifications: t.field({ type: NotificationsInput, description: 'What to be told of.' }),
  }),
})

const UpdateAccountInput = builder.inputType('UpdateAccountInput', {
  description: 'What to change of your account.',
  fields: (t) => ({
    email: t.string({ description: 'The new address, which can be signed in with too; null for none.' }),
    currentPassword: t.string({ required: true, description: 'The password of now.' }),
  }),
})

const ChangePasswordInput = builder.inputType('ChangePasswordInput', {
  description: 'The password of now, and the next.',
  fields: (t) => ({
    currentPassword: t.string({ required: true, description: 'The password of now.' }),
    newPassword: t.string({ required: true, description: 'Another one, of at least 8 characters.' }),
  }),
})

builder.mutationFields((t) => ({
  changePassword: t.prismaField({
    type: UserType,
    description:
      'Sets a new password for you. All your other sign-ins end, your API tokens stay. Takes a sign-in: an API token cannot do it.',
    errors: resultUnion('ChangePasswordResult', 'Your account, or why the password is the same.'),
    args: { input: t.arg({ type: ChangePasswordInput, required: true, description: 'Both passwords.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.ownAccount.changePassword(principalOf(context), input, query),
  }),
  updatePreferences: t.prismaField({
    type: UserType,
    description: 'Changes your settings of the user interface.',
    errors: resultUnion('UpdatePreferencesResult', 'Your account, or why the settings are as they were.'),
    args: { input: t.arg({ type: UpdatePreferencesInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.ownAccount.updatePreferences(principalOf(context), input, query),
  }),
  updateAccount: t.prismaField({
    type: UserType,
    description: 'Changes your address. Takes a sign-in and the password.',
    errors: resultUnion('UpdateAccountResult', 'Your account as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateAccountInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.ownAccount.update(principalOf(context), input, query),
  }),
}))
