import { createHash } from 'node:crypto'
import { parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toSchema } from '../../src/graphql/index.ts'
import { PAGE_DOCUMENTS } from '../../src/server/pages/session-script.ts'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let open: TestApp
beforeAll(async () => {
  app = await startTestApp()
  open = await startTestApp({ graphiql: 'everyone' })
})
afterAll(() => Promise.all([app.stop(), open.stop()]))

const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8'
const get = (path: string, accept = '*/*', on: TestApp = app) =>
  fetch(on.url + path, {
    headers: { Accept: accept, 'GraphQL-Require-Preflight': 'true' },
    redirect: 'manual',
  })

test.each(['/healthz', '/readyz'])('%s says that the server is well', async (path) => {
  const response = await get(path)

  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ status: 'ok' })
})

test.each(['/nothing', '/graphql/more', '/downloads', '/healthz/'])(
  '%s is not there, which is said in text',
  async (path) => {
    const response = await get(path)

    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('text/plain')
    expect(await response.text()).toContain('/graphql')
  },
)

test('/ leads to the API', async () => {
  const response = await get('/')

  expect(response.status).toBe(302)
  expect(response.headers.get('location')).toBe('/graphql')
})

describe('a browser', () => {
  test('without a session gets a page to sign in on, which says nothing of what is behind it', async () => {
    const response = await get('/graphql', BROWSER)
    const page = await response.text()

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(page).toContain('login(input: $input)')
    expect(page).not.toMatch(/graphiql|playground/i)
  })

  test('gets GraphiQL once its visitor has signed in', async () => {
    const variables = { input: { username: 'admin', password: PASSWORD } }
    const login = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Origin: app.url },
      body: JSON.stringify({ query: PAGE_DOCUMENTS.login, variables }),
    })
    const cookie = login.headers.getSetCookie().map((set) => set.split(';', 1)[0])
    const pageWith = async (value: string) => {
      const response = await fetch(`${app.url}/graphql`, { headers: { Accept: BROWSER, Cookie: value } })
      return response.text()
    }

    expect(await pageWith(cookie.join('; '))).toContain('GraphiQL')
    expect(await pageWith('trainyard_refresh=garbage')).not.toContain('GraphiQL')
  })

  test('gets GraphiQL, which speaks over WebSockets, where it is for everyone', async () => {
    const response = await get('/graphql', BROWSER, open)
    const page = await response.text()

    expect(response.status).toBe(200)
    expect(page).toContain('GraphiQL')
    expect(page).toContain('"subscriptionsProtocol":"WS"')
    expect(page).not.toContain('__trainyard_credentials__')
  })

  test('gets no page where GraphiQL is off', async () => {
    const plain = await startTestApp({ graphiql: 'off' })
    const response = await get('/graphql', BROWSER, plain)
    await plain.stop()

    expect(response.headers.get('content-type') ?? '').not.toContain('text/html')
  })

  test.each([
    ['the page to sign in on', () => app],
    ['GraphiQL', () => open],
  ])('runs the scripts of %s and no others', async (_page, on) => {
    const response = await get('/graphql', BROWSER, on())
    const policy = response.headers.get('content-security-policy') ?? ''
    const scripts = (await response.text()).matchAll(/<script>([\s\S]*?)<\/script>/g)
    const hashes = [...scripts].map(
      ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    )

    expect(hashes).not.toHaveLength(0)
    expect(policy).toContain(`script-src ${hashes.join(' ')};`)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe-eval')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })
})

test.each(Object.entries(PAGE_DOCUMENTS))('%s as our pages send it is what the API has', (_name, text) => {
  expect(validate(toSchema(), parse(text))).toEqual([])
})

test('a query in the address is answered to a program', async () => {
  const response = await get('/graphql?query={__typename}', 'application/json')

  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ data: { __typename: 'Query' } })
})

test('a mutation in the address is refused', async () => {
  const response = await get(`/graphql?query=${encodeURIComponent('mutation { __typename }')}`)

  expect(response.status).toBe(405)
})
