import { randomUUID } from 'node:crypto'
import type { Role } from '../../src/domains/accounts/principal.ts'
import {
  AccountCreateInvitationDocument,
  AccountLoginDocument,
  AccountRegisterDocument,
  AccountViewerDocument,
  type CreateInvitationInput,
} from '../../src/generated/operations.ts'
import type { TestApp } from './app.ts'
import { type ApiClient, createClient } from './client.ts'

/** Somebody with an account, signed in. */
export interface Person {
  id: string
  username: string
  email: string
  password: string
  api: ApiClient
}

/** The answer of the server as what it should be; fails with the answer when it is anything else. */
export function expected<Answer extends { __typename?: string }, Name extends Answer['__typename']>(
  answer: Answer,
  name: Name,
): Extract<Answer, { __typename?: Name }> {
  if (isNamed(answer, name)) return answer
  throw new Error(`Expected ${name}, got ${JSON.stringify(answer)}`)
}

function isNamed<Answer extends { __typename?: string }, Name extends Answer['__typename']>(
  answer: Answer,
  name: Name,
): answer is Extract<Answer, { __typename?: Name }> {
  return answer.__typename === name
}

/** A client of a test's server with some token, or none. */
export function as(app: { url: string }, token: string | null): ApiClient {
  const client = createClient(app.url)
  client.useToken(token)
  return client
}

/** The secret of a new invitation. */
export async function invitation(app: TestApp, input: CreateInvitationInput = {}): Promise<string> {
  const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, { input })
  return expected(createInvitation, 'Invitation').token ?? ''
}

/** Somebody who accepted an invitation to a test's server. */
export async function person(
  app: TestApp,
  username: string,
  invited: CreateInvitationInput = {},
): Promise<Person> {
  const email = `${username}@example.org`
  const password = `password of ${username}`
  const invitationToken = await invitation(app, invited)
  const { register } = await as(app, null).send(AccountRegisterDocument, {
    input: { username, email, password, invitationToken },
  })
  const { accessToken, user } = expected(register, 'Session')
  return { id: user.id, username, email, password, api: as(app, accessToken) }
}

/** Somebody whose name does not matter. */
export const givenPerson = (
  app: TestApp,
  role: Role = 'MEMBER',
  username = `person-${randomUUID().slice(0, 8)}`,
) => person(app, username, { role })

/** An administrator besides the first. */
export const administrator = (app: TestApp, username: string) => person(app, username, { role: 'ADMIN' })

/** Signs in again: another session. */
export async function signInAgain(app: TestApp, { username, password }: Person): Promise<ApiClient> {
  return as(app, await accessTokenOf(app, username, password))
}

/** A new access token of somebody. */
export async function accessTokenOf(app: TestApp, username: string, password: string): Promise<string> {
  const { login } = await as(app, null).send(AccountLoginDocument, { input: { username, password } })
  return expected(login, 'Session').accessToken
}

/** Whom a client speaks for; null for nobody any more. */
export async function whoIs(api: ApiClient): Promise<string | null> {
  const { data, errors } = await api.ask(AccountViewerDocument)
  if (errors && errors[0]?.extensions?.code !== 'UNAUTHENTICATED') throw new Error(JSON.stringify(errors))
  return data?.viewer?.username ?? null
}

/** What a top-level refusal looks like. */
export const refused = (code: 'FORBIDDEN' | 'UNAUTHENTICATED') => ({ errors: [{ extensions: { code } }] })
