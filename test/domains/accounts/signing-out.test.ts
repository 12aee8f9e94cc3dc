import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccountLogoutEverywhereDocument,
  AccountRevokeSessionDocument,
  AccountSessionsDocument,
} from '../../../src/generated/operations.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import {
  accessTokenOf,
  administrator,
  as,
  person,
  refused,
  signInAgain,
  whoIs,
} from '../../support/people.ts'
import { createBrowser } from './support/browser.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const LOGIN = `mutation { login(input: { username: "admin", password: "${PASSWORD}" }) { ... on Session { accessToken } } }`
const REFRESH = 'mutation { refreshSession { ... on Session { accessToken user { username } } } }'
const LOGOUT = 'mutation { logout }'
const VIEWER = '{ viewer { username } }'

const sessionsOf = async (api: typeof app.api) =>
  (await api.send(AccountSessionsDocument)).viewer?.sessions.edges.map(({ node }) => node) ?? []

describe('logout', () => {
  test('ends the sign-in of the cookie, and takes the cookie', async () => {
    const browser = createBrowser(app)
    const token = (await browser.ask(LOGIN)).data?.login?.accessToken

    expect(await browser.ask(LOGOUT)).toMatchObject({ data: { logout: true } })
    expect(browser.cookie()).toBeNull()
    expect(await browser.ask(VIEWER, {}, token)).toMatchObject(refused('UNAUTHENTICATED'))
    expect(await browser.ask(REFRESH)).toMatchObject(refused('UNAUTHENTICATED'))
  })

  test('ends the sign-in of the access token', async () => {
    const token = await accessTokenOf(app, 'admin', PASSWORD)

    expect(await as(app, token).send(LOGOUT)).toEqual({ logout: true })
    expect(await whoIs(as(app, token))).toBeNull()
  })

  test('is done also where there is nothing to end', async () => {
    expect(await createBrowser(app).ask(LOGOUT)).toMatchObject({ data: { logout: true } })
  })

  test('ends no other sign-in', async () => {
    const ada = await person(app, 'ada')
    await (await signInAgain(app, ada)).send(LOGOUT)

    expect(await whoIs(ada.api)).toBe('ada')
  })
})

describe('the sign-ins of a person', () => {
  test('are listed, the latest first, with where they came from', async () => {
    const grace = await person(app, 'grace')
    const second = await signInAgain(app, grace)

    const sessions = await sessionsOf(second)

    expect(sessions.map(({ isCurrent }) => isCurrent)).toEqual([true, false])
    expect(sessions[0]).toMatchObject({
      id: expect.stringMatching(/^ses_/),
      ipAddress: '127.0.0.1',
      userAgent: 'node',
    })
    expect(Date.parse(sessions[0]?.expiresAt ?? '')).toBeGreaterThan(Date.now())
  })

  test('are ended one by one', async () => {
    const linus = await person(app, 'linus')
    const second = await signInAgain(app, linus)
    const [, first] = await sessionsOf(second)
    const sessionId = first?.id ?? ''
    const revoke = () => second.send(AccountRevokeSessionDocument, { input: { sessionId } })

    expect(await revoke()).toEqual({ revokeSession: { __typename: 'UserSession', id: sessionId } })
    expect(await whoIs(linus.api)).toBeNull()
    expect(await whoIs(second)).toBe('linus')
    expect(await revoke()).toMatchObject({ revokeSession: { __typename: 'NotFoundError' } })
  })

  test('are not there for others, but administrators end them', async () => {
    const owner = await person(app, 'owner')
    const stranger = await person(app, 'stranger')
    const [session] = await sessionsOf(owner.api)
    const input = { sessionId: session?.id ?? '' }

    expect(await stranger.api.send(AccountRevokeSessionDocument, { input })).toMatchObject({
      revokeSession: { __typename: 'NotFoundError' },
    })
    expect(await stranger.api.send('query ($id: ID!) { node(id: $id) { id } }', { id: session?.id })).toEqual(
      { node: null },
    )
    expect(await whoIs(owner.api)).toBe('owner')
    const root = await administrator(app, 'root')
    await root.api.send(AccountRevokeSessionDocument, { input })
    expect(await whoIs(owner.api)).toBeNull()
  })

  test('end all at once', async () => {
    const ken = await person(app, 'ken')
    const second = await signInAgain(app, ken)
    await second.send(AccountLogoutEverywhereDocument, { input: {} })

    expect(await whoIs(ken.api)).toBeNull()
    expect(await whoIs(second)).toBeNull()
  })

  test('end all but the one that asks', async () => {
    const dennis = await person(app, 'dennis')
    const second = await signInAgain(app, dennis)
    const { logoutEverywhere } = await second.send(AccountLogoutEverywhereDocument, {
      input: { exceptCurrent: true },
    })

    expect(logoutEverywhere).toMatchObject({ __typename: 'User', sessions: { totalCount: 1 } })
    expect(await whoIs(dennis.api)).toBeNull()
    expect(await whoIs(second)).toBe('dennis')
  })
})
