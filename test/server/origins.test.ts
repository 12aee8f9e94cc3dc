import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ allowedOrigins: ['https://dash.example.org'] })
})
afterAll(() => app.stop())

test.each([
  { origin: undefined, opens: true },
  { origin: 'https://dash.example.org', opens: true },
  { origin: 'own', opens: true },
  { origin: 'https://evil.example', opens: false },
  { origin: 'null', opens: false },
])('a socket from a page of $origin: $opens', async ({ origin, opens }) => {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    ...(origin && { origin: origin === 'own' ? app.url : origin }),
  })
  const outcome = await once(socket, 'open').then(
    () => true,
    () => false,
  )
  socket.terminate()
  expect(outcome).toBe(opens)
})

test('only pages of allowed origins may read answers', async () => {
  const allowedFor = async (origin: string) => {
    const { headers } = await fetch(`${app.url}/graphql?query={__typename}`, {
      headers: { origin, 'GraphQL-Require-Preflight': 'true' },
    })
    return headers.get('access-control-allow-origin')
  }
  expect(await allowedFor('https://dash.example.org')).toBe('https://dash.example.org')
  expect(await allowedFor(app.url)).toBe(app.url)
  expect(await allowedFor('https://evil.example')).toBeNull()
})

const CHAT = '/v1/chat/completions'

/** What a browser asks before it sends a question to a model for a page. */
function askFirst(origin: string, path = CHAT): Promise<Response> {
  return fetch(app.url + path, {
    method: 'OPTIONS',
    headers: {
      origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type,x-stainless-lang',
    },
  })
}

test('only pages of allowed origins may ask models', async () => {
  const [allowed, own, evil] = await Promise.all(
    ['https://dash.example.org', app.url, 'https://evil.example'].map((origin) => askFirst(origin)),
  )

  expect([allowed?.status, own?.status]).toEqual([204, 204])
  expect(Object.fromEntries(allowed?.headers ?? [])).toMatchObject({
    'access-control-allow-origin': 'https://dash.example.org',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization,content-type,x-stainless-lang',
    vary: 'Origin',
  })
  expect(own?.headers.get('access-control-allow-origin')).toBe(app.url)
  expect([...(evil?.headers.keys() ?? [])].filter((name) => name.startsWith('access-control'))).toEqual([])
})

test('only pages of allowed origins may read what the gateway answers, its refusals too', async () => {
  const answerTo = (origin: string) => fetch(`${app.url}/v1/models`, { headers: { origin } })
  const [allowed, evil] = await Promise.all(
    ['https://dash.example.org', 'https://evil.example'].map(answerTo),
  )

  expect([allowed?.status, evil?.status]).toEqual([401, 401])
  expect(allowed?.headers.get('access-control-allow-origin')).toBe('https://dash.example.org')
  expect(allowed?.headers.get('access-control-expose-headers')).toContain('Retry-After')
  expect(allowed?.headers.get('access-control-allow-credentials')).toBeNull()
  expect(evil?.headers.get('access-control-allow-origin')).toBeNull()
})

test('what is asked first must be something that there is', async () => {
  expect((await askFirst('https://dash.example.org', '/v1/images')).status).toBe(404)
})
