import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const get = (path: string, accept = '*/*') =>
  fetch(app.url + path, { headers: { Accept: accept }, redirect: 'manual' })

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

test('a browser gets GraphiQL, which speaks over WebSockets and lets one sign in', async () => {
  const response = await get('/graphql', 'text/html,application/xhtml+xml,*/*;q=0.8')
  const page = await response.text()

  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toContain('text/html')
  expect(page).toContain('GraphiQL')
  expect(page).toContain('"subscriptionsProtocol":"WS"')
  expect(page).toContain('login(input: $input)')
  expect(page).not.toContain('__trainyard_credentials__')
})

test('a query in the address is answered to a program', async () => {
  const response = await get('/graphql?query={__typename}', 'application/json')

  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ data: { __typename: 'Query' } })
})

test('a mutation in the address is refused', async () => {
  const response = await get(`/graphql?query=${encodeURIComponent('mutation { __typename }')}`)

  expect(response.status).toBe(405)
})

test('a server that is to have no GraphiQL gives a browser none', async () => {
  const plain = await startTestApp({ graphiql: false })
  const response = await fetch(`${plain.url}/graphql`, { headers: { Accept: 'text/html' } })
  await plain.stop()

  expect(response.headers.get('content-type') ?? '').not.toContain('text/html')
})
