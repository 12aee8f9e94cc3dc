import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket } from '../support/raw-socket.ts'
import { seed } from '../support/seed.ts'

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp({ rateLimitPoints: 0 })
  token = await accessTokenOf(app.url)
})
afterAll(() => app.stop())

test('a ping is answered without what it brought, which would be kept for a client that does not read', async () => {
  const socket = await connectRawSocket(app.url, token)
  for (let n = 0; n < 50; n++) socket.send({ type: 'ping', payload: { a: 'x'.repeat(900_000) } })

  expect(await socket.next('pong')).toEqual({ type: 'pong' })
  socket.send({ type: 'subscribe', id: '1', payload: { query: '{ __typename }' } })
  expect(await socket.next('next')).toMatchObject({ id: '1' })
  socket.close()
})

test('a socket of nobody is closed with 1009 after a message of more than 100 kB', async () => {
  const socket = await connectRawSocket(app.url, null)
  socket.send({ type: 'ping', payload: { a: 'x'.repeat(90_000) } })
  await socket.next('pong')
  socket.send({ type: 'ping', payload: { a: 'x'.repeat(110_000) } })

  expect(await socket.closed).toBe(1009)
})

test('a client that asks on and on without reading is cut', async () => {
  await seed(app.api).dataset('large', {}, `a: ${'x'.repeat(4 * 1024 * 1024)}\n`)
  const socket = await connectRawSocket(app.url, token)
  socket.pause()
  const query = '{ dataset(ref: "large") { trainConfig { text } } }'
  for (let n = 0; n < 40; n++) socket.send({ type: 'subscribe', id: String(n), payload: { query } })
  await app.api.send('{ viewer { id } }')
  for (let n = 40; n < 80; n++) socket.send({ type: 'subscribe', id: String(n), payload: { query } })
  socket.resume()

  expect(await socket.closed).toBe(1006)
})
