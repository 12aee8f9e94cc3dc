import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { createOperatorResets } from '../../src/domains/accounts/password-resets.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createClient } from '../support/client.ts'
import { accessTokenOf, type Person, person } from '../support/people.ts'
import { connectRawSocket, type RawSocket } from '../support/raw-socket.ts'
import { seed } from '../support/seed.ts'

let app: TestApp
let project: string
beforeAll(async () => {
  app = await startTestApp()
  project = await seed(app.api).project({ visibility: 'TEAM' })
})
afterAll(() => app.stop())

/** How long what was begun with rights that are gone may go on, in ms. */
const PROMISED_MS = 5000

/** A socket on which somebody watches a project. */
async function watching(token: string): Promise<RawSocket> {
  const socket = await connectRawSocket(app.url, token)
  const query = 'subscription ($project: String) { runUpdated(project: $project) { id } }'
  socket.send({ id: '1', type: 'subscribe', payload: { query, variables: { project } } })
  // A query is answered after the subscription has begun.
  socket.send({ id: '2', type: 'subscribe', payload: { query: '{ viewer { id } }' } })
  await socket.next('next')
  return socket
}

interface Given {
  someone: Person
  /** Of the sign-in, or the API token, that the socket was opened with. */
  token: string
}

const NEW_TOKEN = `mutation { createApiToken(input: { name: "watcher" }) { ... on ApiToken { id token } } }`
const apiTokenOf = async ({ api }: Person) =>
  (await api.send<{ createApiToken: { id: string; token: string } }, object>(NEW_TOKEN)).createApiToken

test.each<[string, (given: Given) => Promise<unknown>]>([
  [
    'signs out',
    async ({ token }) => {
      const client = createClient(app.url)
      client.useToken(token)
      return client.send('mutation { logout }')
    },
  ],
  [
    'signs out everywhere',
    ({ someone }) => someone.api.send('mutation { logoutEverywhere(input: {}) { __typename } }'),
  ],
  [
    'is deactivated',
    ({ someone }) =>
      app.api.send(
        'mutation ($user: String!) { deactivateUser(input: { user: $user }) { ... on User { id } } }',
        { user: someone.username },
      ),
  ],
  [
    'gets another role',
    ({ someone }) =>
      app.api.send(
        'mutation ($user: String!) { updateUser(input: { user: $user, role: ADMIN }) { ... on User { id } } }',
        { user: someone.username },
      ),
  ],
  [
    'sets a new password by a link of the operator',
    async ({ someone }) => {
      const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
      const { secret } = await createOperatorResets({ database }).issuePasswordReset(someone.username)
      await database.close()
      return createClient(app.url).send(
        'mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { ... on Session { expiresAt } } }',
        { input: { token: secret, newPassword: 'something else' } },
      )
    },
  ],
])('whoever %s watches nothing any more', async (what, act) => {
  const someone = await person(app, `who-${what.replaceAll(' ', '-')}`)
  const token = await accessTokenOf(app, someone.username, someone.password)
  const socket = await watching(token)

  await act({ someone, token })
  const before = performance.now()

  expect(await socket.closed).toBe(4403)
  expect(performance.now() - before).toBeLessThan(PROMISED_MS)
})

test('a token that is revoked watches nothing any more, and the others of its person go on', async () => {
  const someone = await person(app, 'with-tokens')
  const [revoked, kept] = [await apiTokenOf(someone), await apiTokenOf(someone)]
  const socket = await watching(revoked.token)
  const other = await watching(kept.token)

  await someone.api.send(
    'mutation ($tokenId: ID!) { revokeApiToken(input: { tokenId: $tokenId }) { __typename } }',
    { tokenId: revoked.id },
  )

  expect(await socket.closed).toBe(4403)
  other.send({ id: '3', type: 'subscribe', payload: { query: '{ viewer { username } }' } })
  expect(await other.next('next')).toMatchObject({
    payload: { data: { viewer: { username: 'with-tokens' } } },
  })
  other.close()
})

test('a session that another process ended is noticed too', async () => {
  const someone = await person(app, 'ended-elsewhere')
  const socket = await watching(await accessTokenOf(app, someone.username, someone.password))

  const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
  await database.transaction((tx) => tx.userSession.deleteMany({ where: { userId: someone.id } }))
  await database.close()

  expect(await socket.closed).toBe(4403)
})
