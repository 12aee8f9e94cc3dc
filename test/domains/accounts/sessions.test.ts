import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const LOGIN = `mutation { login(input: { username: "admin", password: "${PASSWORD}" }) {
  ... on Session { accessToken } ... on Error { message }
} }`
const REFRESH = 'mutation { refreshSession { ... on Session { accessToken expiresAt user { username } } } }'

/** A request as a browser sends it, with the cookie that it keeps, and what it is told to keep from now on. */
async function send(query: string, cookie: string | null, token?: string) {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(cookie !== null && { Cookie: cookie }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
  })
  const setCookie = response.headers.getSetCookie()
  return { answer: await response.json(), setCookie, cookie: setCookie[0]?.split(';', 1)[0] ?? null }
}

const signIn = () => send(LOGIN, null)
const UNAUTHENTICATED = { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }
const REFRESHED = { data: { refreshSession: { user: { username: 'admin' } } } }

describe('the cookie of a sign-in', () => {
  test('is out of reach of scripts and of other sites', async () => {
    const { setCookie } = await signIn()

    expect(setCookie).toHaveLength(1)
    expect(setCookie[0]).toMatch(/^trainyard_refresh=[\w.-]+; /)
    expect(setCookie[0]).toMatch(/HttpOnly/)
    expect(setCookie[0]).toMatch(/SameSite=Strict/)
    expect(setCookie[0]).toMatch(/Path=\/graphql/)
    expect(setCookie[0]).not.toMatch(/Secure/) // the server listens on loopback, without TLS
  })

  test('may be sent over HTTPS only, where that is what there is', async () => {
    const secure = await startTestApp({ secureCookie: true })
    const response = await fetch(`${secure.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: LOGIN }),
    })
    await secure.stop()

    expect(response.headers.getSetCookie()[0]).toMatch(/; Secure/)
  })

  test('goes on with the sign-in, and changes every time', async () => {
    const first = await signIn()
    const second = await send(REFRESH, first.cookie)
    const third = await send(REFRESH, second.cookie)

    expect(second.answer).toMatchObject(REFRESHED)
    expect(third.answer).toMatchObject(REFRESHED)
    expect(new Set([first.cookie, second.cookie, third.cookie]).size).toBe(3)
  })

  test('that was used just before still counts, so that a lost answer does no harm', async () => {
    const first = await signIn()
    const lost = await send(REFRESH, first.cookie)
    const again = await send(REFRESH, first.cookie)

    expect(again.answer).toMatchObject(REFRESHED)
    expect((await send(REFRESH, lost.cookie)).answer).toMatchObject(REFRESHED)
  })

  test('that is older ends the whole sign-in', async () => {
    const first = await signIn()
    const second = await send(REFRESH, first.cookie)
    const third = await send(REFRESH, second.cookie)
    const stolen = await send(REFRESH, first.cookie)

    expect(stolen.answer).toMatchObject(UNAUTHENTICATED)
    expect(stolen.setCookie[0]).toMatch(/^trainyard_refresh=;.*1970/)
    expect((await send(REFRESH, third.cookie)).answer).toMatchObject(UNAUTHENTICATED)
    const token = third.answer.data.refreshSession.accessToken
    expect((await send('{ viewer { username } }', null, token)).answer).toMatchObject(UNAUTHENTICATED)
  })

  test('is no access token, nor the other way round', async () => {
    const { cookie, answer } = await signIn()
    const refreshToken = cookie?.split('=')[1]

    expect((await send('{ viewer { username } }', null, refreshToken)).answer).toMatchObject(UNAUTHENTICATED)
    expect((await send(REFRESH, `trainyard_refresh=${answer.data.login.accessToken}`)).answer).toMatchObject(
      UNAUTHENTICATED,
    )
  })

  test.each([null, 'trainyard_refresh=', 'trainyard_refresh=garbage', 'other=1', '=;;;%%%'])(
    'as %j is refused',
    async (cookie) => {
      expect((await send(REFRESH, cookie)).answer).toMatchObject(UNAUTHENTICATED)
    },
  )
})
