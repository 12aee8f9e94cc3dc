import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { RoleEnum } from './enums.schema.ts'
import { NewPasswordResetType } from './passwords.schema.ts'
import { linkOf } from './user-administration.ts'
import { UserType } from './users.schema.ts'

builder.prismaObjectField(UserType, 'passwordReset', (t) =>
  t.field({
    type: NewPasswordResetType,
    nullable: true,
    description:
      'The link with which the person sets a password: only on what createUser gives for an account without one, and shown this once.',
    resolve: linkOf,
  }),
)

const CreateUserInput = builder.inputType('CreateUserInput', {
  description: 'The account to make.',
  fields: (t) => ({
    username: t.string({
      required: true,
      description:
        'At most 63 letters, digits, dots, hyphens and underscores, kept in lower case; it begins with a letter or digit.',
    }),
    email: t.string({ description: 'The address, which can be signed in with too.' }),
    password: t.string({
      description:
        'At least 8 characters; the person must set one of their own first. Without it, passwordReset of the answer has a link for that.',
    }),
    role: t.field({ type: RoleEnum, description: 'MEMBER unless given.' }),
  }),
})

const UpdateUserInput = builder.inputType('UpdateUserInput', {
  description: 'What to change of an account. What is left out stays.',
  fields: (t) => ({
    user: t.string({ required: true, description: 'Id or username.' }),
    role: t.field({ type: RoleEnum, description: 'A new role; it ends all sign-ins of the person.' }),
    email: t.string({ description: 'A new address; null for none.' }),
    username: t.string({ description: 'A new username.' }),
  }),
})

const DeactivateUserInput = builder.inputType('DeactivateUserInput', {
  description: 'The account to shut.',
  fields: (t) => ({ user: t.string({ required: true, description: 'Id or username.' }) }),
})

const ReactivateUserInput = builder.inputType('ReactivateUserInput', {
  description: 'The account to open again.',
  fields: (t) => ({ user: t.string({ required: true, description: 'Id or username.' }) }),
})

const DeleteUserInput = builder.inputType('DeleteUserInput', {
  description: 'The account to delete, and who takes over.',
  fields: (t) => ({
    user: t.string({ required: true, description: 'Id or username.' }),
    transferTo: t.string({
      description: 'Id or username of who gets the projects and datasets; you unless given.',
    }),
  }),
})

builder.mutationFields((t) => ({
  createUser: t.prismaField({
    type: UserType,
    description: 'Makes an account for somebody. For administrators.',
    errors: resultUnion('CreateUserResult', 'The new account, or why there is none.'),
    args: { input: t.arg({ type: CreateUserInput, required: true, description: 'The account to make.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.userAdministration.create(principalOf(context), input, query),
  }),
  updateUser: t.prismaField({
    type: UserType,
    description:
      'Changes role, address or username of an account. The role only of others, so that an administrator is left. For administrators.',
    errors: resultUnion('UpdateUserResult', 'The account as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateUserInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.userAdministration.update(principalOf(context), input, query),
  }),
  deactivateUser: t.prismaField({
    type: UserType,
    description:
      'Shuts an account: its sign-ins and links end at once, its API tokens do not count, its runs go on. Not one’s own. For administrators.',
    errors: resultUnion('DeactivateUserResult', 'The account as it is now, or why it was not shut.'),
    args: {
      input: t.arg({ type: DeactivateUserInput, required: true, description: 'The account to shut.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.userAdministration.deactivate(principalOf(context), input, query),
  }),
  reactivateUser: t.prismaField({
    type: UserType,
    description:
      'Opens an account again, with the password and the API tokens that it had. For administrators.',
    errors: resultUnion('ReactivateUserResult', 'The account as it is now, or why it was not opened.'),
    args: {
      input: t.arg({ type: ReactivateUserInput, required: true, description: 'The account to open.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.userAdministration.reactivate(principalOf(context), input, query),
  }),
  deleteUser: t.prismaField({
    type: UserType,
    description:
      'Deletes an account: its projects and datasets go to transferTo, all that opens it goes away. What remains is the author of runs and versions, under another name; username and address can be used again. Not one’s own. For administrators.',
    errors: resultUnion('DeleteUserResult', 'What remains of the account, or why it was not deleted.'),
    args: {
      input: t.arg({ type: DeleteUserInput, required: true, description: 'Who goes, and who takes over.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.userAdministration.delete(principalOf(context), input, query),
  }),
}))
