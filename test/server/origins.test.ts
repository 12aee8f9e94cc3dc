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
