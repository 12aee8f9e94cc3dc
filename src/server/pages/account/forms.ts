import type { AccountPage } from '../../../domains/accounts/mail.ts'

/** A field that somebody fills in; its name is that of the mutation's input. */
export interface FormField {
  name: string
  label: string
  type: 'text' | 'email' | 'password'
  /** What the browser may fill in by itself. */
  autocomplete: string
  hint?: string
  minLength?: number
}

/** What a page asks for, and what it does with it. */
export interface AccountForm {
  title: string
  introduction: string
  fields: FormField[]
  button: string
  /** What is said once it is done, in place of title and introduction. */
  done: { title: string; text: string }
  mutation: string
  /** The input that the token of the link goes to. */
  tokenInput: string
}

/** What every mutation here is asked for: nothing of a session but that there is one. */
const RESULT = '{ __typename ... on Error { message } ... on ValidationError { issues { path message } } }'

const PASSWORD: Omit<FormField, 'name' | 'label'> = {
  type: 'password',
  autocomplete: 'new-password',
  hint: 'At least 8 characters. Length matters more than special characters.',
  minLength: 8,
}

/** What the pages are. */
export const ACCOUNT_FORMS: Record<AccountPage, AccountForm> = {
  'reset-password': {
    title: 'Choose a new password',
    introduction: 'The link that you followed lets you set a new password for your account, once.',
    fields: [{ ...PASSWORD, name: 'newPassword', label: 'New password' }],
    button: 'Set the password',
    done: { title: 'Your password is set', text: 'From now on, sign in with the new one.' },
    mutation: `mutation ($input: ResetPasswordInput!) { result: resetPassword(input: $input) ${RESULT} }`,
    tokenInput: 'token',
  },
  'accept-invitation': {
    title: 'Join Trainyard',
    introduction: 'You are invited. Choose how to sign in, and your account is ready.',
    fields: [
      {
        name: 'username',
        label: 'User name',
        type: 'text',
        autocomplete: 'username',
        hint: 'This is how your team sees you.',
      },
      { name: 'email', label: 'Email', type: 'email', autocomplete: 'email' },
      { ...PASSWORD, name: 'password', label: 'Password' },
    ],
    button: 'Make the account',
    done: {
      title: 'Your account is ready',
      text: 'Sign in with your user name and your password.',
    },
    mutation: `mutation ($input: RegisterInput!) { result: register(input: $input) ${RESULT} }`,
    tokenInput: 'invitationToken',
  },
}
