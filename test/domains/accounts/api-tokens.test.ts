import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccountApiTokensDocument,
  AccountCreateApiTokenDocument,
  AccountRevokeApiTokenDocument,
  type ApiTokenScope,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { ApiClient } from '../../support/client.ts'
import { administrator, as, expected, type Person, person, refused, whoIs } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let ada: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await person(app, 'ada')
  await administrator(app, 'root')
})
afterAll(() => app.stop())

async function token(api: ApiClient, name: string, scopes?: ApiTokenScope[]) {
  const { createApiToken } = await api.send(AccountCreateApiTokenDocument, { input: { name, scopes } })
  return expected(createApiToken, 'ApiToken')
}

/** A client with a token of the administrator that may be used for this alone. */
const scoped = async (scope: ApiTokenScope) => as(app, (await token(app.api, scope, [scope])).token)

describe('the tokens of a person', () => {
  test('are listed without their secrets', async () => {
    await token(ada.api, 'first')
    const { token: secret } = await token(ada.api, 'second', ['READ', 'RUN'])
    await as(app, secret).send('{ viewer { username } }')

    const { viewer } = await ada.api.send(AccountApiTokensDocument)

    expect(viewer?.apiTokens.edges.map(({ node }) => node)).toMatchObject([
      { name: 'second', token: null, scopes: ['READ', 'RUN'], lastUsedAt: expect.any(String) },
      { name: 'first', token: null, scopes: ['RUN'], lastUsedAt: null, expiresAt: null },
    ])
    expect(viewer?.apiTokens.totalCount).toBe(2)
  })

  test('are for agents only when an administrator makes them, and for nothing else then', async () => {
    const ask = (api: ApiClient, scopes: ApiTokenScope[]) =>
      api.ask(AccountCreateApiTokenDocument, { input: { name: 'for a machine', scopes } })

    expect(await ask(ada.api, ['AGENT'])).toMatchObject(refused('FORBIDDEN'))
    const { data } = await ask(app.api, ['AGENT', 'READ'])
    expect(data?.createApiToken).toMatchObject({ __typename: 'ValidationError' })
    expect((await ask(app.api, ['AGENT'])).data?.createApiToken).toMatchObject({ __typename: 'ApiToken' })
  })

  test('are revoked', async () => {
    const { id: tokenId, token: secret } = await token(ada.api, 'lost')
    const revoke = () => ada.api.send(AccountRevokeApiTokenDocument, { input: { tokenId } })

    expect(await revoke()).toEqual({
      revokeApiToken: { __typename: 'ApiToken', id: tokenId, name: 'lost', token: null },
    })
    expect(await whoIs(as(app, secret))).toBeNull()
    expect(await revoke()).toMatchObject({ revokeApiToken: { __typename: 'NotFoundError' } })
  })

  test('are not there for others, but administrators revoke them', async () => {
    const grace = await person(app, 'grace')
    const { id: tokenId, token: secret } = await token(ada.api, 'mine')
    const input = { tokenId }
    const node = (api: ApiClient) =>
      api.send('query ($id: ID!) { node(id: $id) { ... on ApiToken { name token } } }', { id: tokenId })

    expect(await node(grace.api)).toEqual({ node: null })
    expect(await node(ada.api)).toEqual({ node: { name: 'mine', token: null } })
    expect(await grace.api.send(AccountRevokeApiTokenDocument, { input })).toMatchObject({
      revokeApiToken: { __typename: 'NotFoundError' },
    })
    expect(await whoIs(as(app, secret))).toBe('ada')
    await app.api.send(AccountRevokeApiTokenDocument, { input })
    expect(await whoIs(as(app, secret))).toBeNull()
  })
})

const ACCOUNT = [
  'mutation { revokeApiToken(input: { tokenId: "x" }) { __typename } }',
  'mutation { revokeSession(input: { sessionId: "x" }) { __typename } }',
  'mutation { logoutEverywhere(input: {}) { __typename } }',
  'mutation { updatePreferences(input: { theme: DARK }) { __typename } }',
  'mutation { changePassword(input: { currentPassword: "x", newPassword: "long enough" }) { __typename } }',
  'mutation { updateAccount(input: { currentPassword: "x" }) { __typename } }',
]
/** What would make more of a token than it is: it takes a sign-in. */
const BY_SIGN_IN = [
  ...ACCOUNT.slice(-2),
  'mutation { createApiToken(input: { name: "more" }) { __typename } }',
  'mutation { createPasswordReset(input: { user: "admin" }) { __typename } }',
  'mutation { createPasswordReset(input: { user: "root" }) { __typename } }',
  'mutation { updateUser(input: { user: "admin", email: "mine@example.org" }) { __typename } }',
  'mutation { updateUser(input: { user: "ada", role: ADMIN }) { __typename } }',
  'mutation { deactivateUser(input: { user: "root" }) { __typename } }',
  'mutation { deleteUser(input: { user: "root" }) { __typename } }',
  'mutation { createUser(input: { username: "y", role: ADMIN }) { __typename } }',
  'mutation { createInvitation(input: { role: ADMIN }) { __typename } }',
]
const ADMINISTRATION = [
  '{ users { totalCount } }',
  '{ invitations { totalCount } }',
  '{ serverStatistics { users } }',
  'mutation { createUser(input: { username: "x" }) { __typename } }',
  'mutation { createInvitation(input: {}) { __typename } }',
  'mutation { createPasswordReset(input: { user: "ada" }) { __typename } }',
  'mutation { updateUser(input: { user: "ada", email: "ada@example.net" }) { __typename } }',
]
const WORK = [
  'mutation { createProject(input: { name: "by a script" }) { __typename } }',
  'mutation { createDataset(input: { name: "by a script" }) { __typename } }',
  'mutation { startRun(input: { project: "p" }) { __typename } }',
  'mutation { cancelRun(input: { runId: "x" }) { __typename } }',
  'mutation { deleteProject(input: { ref: "p" }) { __typename } }',
]
const READING = [
  '{ projects { totalCount } }',
  '{ viewer { username } }',
  '{ user(ref: "ada") { username } }',
]

describe.each<{ scope: ApiTokenScope; may: string[]; mayNot: string[] }>([
  { scope: 'READ', may: READING, mayNot: [...WORK, ...ACCOUNT, ...ADMINISTRATION] },
  { scope: 'RUN', may: [...READING, ...WORK], mayNot: [...ACCOUNT, ...ADMINISTRATION] },
  { scope: 'ADMIN', may: [...READING, ...WORK, ...ADMINISTRATION], mayNot: BY_SIGN_IN },
  { scope: 'AGENT', may: [], mayNot: [...READING, ...WORK, ...ACCOUNT, ...ADMINISTRATION] },
])('a token of an administrator with the scope $scope', ({ scope, may, mayNot }) => {
  test.each(may)('may %s', async (operation) => {
    const { errors } = await (await scoped(scope)).ask(operation)

    expect(errors).toBeUndefined()
  })

  test.each(mayNot)('may not %s', async (operation) => {
    expect(await (await scoped(scope)).ask(operation)).toMatchObject(refused('FORBIDDEN'))
  })

  test('sees sessions and tokens only as far as it could revoke them', async () => {
    const ask =
      '{ viewer { sessions { totalCount edges { node { id } } } apiTokens { totalCount edges { node { id } } } } }'
    const answer = await (await scoped(scope)).ask<{ viewer: { sessions: { totalCount: number } } }, object>(
      ask,
    )

    if (scope === 'AGENT') expect(answer).toMatchObject(refused('FORBIDDEN'))
    else if (scope === 'ADMIN') expect(answer.data?.viewer.sessions.totalCount).toBeGreaterThan(0)
    else {
      const nothing = { totalCount: 0, edges: [] }
      expect(answer).toMatchObject({ data: { viewer: { sessions: nothing, apiTokens: nothing } } })
    }
  })
})

test('a token may be used for no more than its person may do', async () => {
  const { token: secret } = await token(ada.api, 'powerful', ['ADMIN'])

  for (const operation of ADMINISTRATION) {
    expect(await as(app, secret).ask(operation)).toMatchObject(refused('FORBIDDEN'))
  }
})

test('a token of a run is no token of the person who started it', async () => {
  const given = seed(app.api)
  const project = await given.project({
    script: 'console.log("token " + process.env.TRAINYARD_TOKEN); setInterval(() => {}, 1000)',
  })
  const run = await given.run({ project })
  await given.when(run, 'running', ({ status }) => status === 'RUNNING')
  const { viewer } = await app.api.send(AccountApiTokensDocument)
  await given.cancel(run, 0)
  await given.end(run)

  expect(viewer?.apiTokens.edges.some(({ node }) => node.name.includes(run))).toBe(false)
})
