import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket, openRawSocket, type RawSocket } from '../support/raw-socket.ts'

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp({ socketsPerUser: 3 })
  token = await accessTokenOf(app.url)
})
afterAll(() => app.stop())

const RUNS = { query: 'subscription { runUpdated { id } }' }

describe('a socket is closed with 4400', () => {
  test.each<[string, string]>([
    ['a text that is no JSON', 'oops'],
    ['a message that is a list', '[]'],
    ['a message without a type', '{}'],
    ['a message of an unknown type', '{"type":"oops"}'],
    ['an operation without an id', '{"type":"subscribe","payload":{"query":"{ __typename }"}}'],
    ['an operation without a document', '{"type":"subscribe","id":"1","payload":{}}'],
    ['a document that is a number', '{"type":"subscribe","id":"1","payload":{"query":1}}'],
    ['variables that are a list', '{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":[]}}'],
    [
      'extensions that are a text',
      '{"type":"subscribe","id":"1","payload":{"query":"{ a }","extensions":"a"}}',
    ],
    [
      'a name that is a number',
      '{"type":"subscribe","id":"1","payload":{"query":"{ a }","operationName":1}}',
    ],
    ['connectionParams that are a text', '{"type":"connection_init","payload":"a"}'],
    ['connectionParams that are a list', '{"type":"connection_init","payload":[]}'],
  ])('after %s', async (_what, message) => {
    const socket = await openRawSocket(app.url)
    socket.send(message)

    expect(await socket.closed).toBe(4400)
  })
})

test('with 4401 after an operation before it was let in', async () => {
  const socket = await openRawSocket(app.url)
  socket.send({ type: 'subscribe', id: '1', payload: RUNS })

  expect(await socket.closed).toBe(4401)
})

test.each<[string, object]>([
  ['credentials that do not count', { Authorization: 'Bearer garbage' }],
  ['a token that nobody signed', { Authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.' }],
])('with 4403 after %s', async (_what, payload) => {
  const socket = await openRawSocket(app.url)
  socket.send({ type: 'connection_init', payload })

  expect(await socket.closed).toBe(4403)
})

test('with 4408 when it says nothing', async () => {
  const socket = await openRawSocket(app.url)

  expect(await socket.closed).toBe(4408)
})

test('with 4409 after an id that is in use', async () => {
  const socket = await connectRawSocket(app.url, token)
  socket.send({ type: 'subscribe', id: '1', payload: RUNS })
  socket.send({ type: 'subscribe', id: '1', payload: RUNS })

  expect(await socket.closed).toBe(4409)
})

test('with 4429 after a second connection_init', async () => {
  const socket = await connectRawSocket(app.url, token)
  socket.send({ type: 'connection_init' })

  expect(await socket.closed).toBe(4429)
})

test('with 1013 when its user has too many, which leaves others and those that are open', async () => {
  const open: RawSocket[] = []
  for (let n = 0; n < 3; n++) open.push(await connectRawSocket(app.url, token))
  const oneMore = await openRawSocket(app.url)
  oneMore.send({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } })

  expect(await oneMore.closed).toBe(1013)
  open.push(await connectRawSocket(app.url, null))
  open[0]?.send({ type: 'ping' })
  await open[0]?.next('pong')

  for (const socket of open) socket.close()
  await Promise.all(open.map(({ closed }) => closed))
})

test('a subscription that is one too many on its socket is refused, and the others go on', async () => {
  const many = await startTestApp()
  const socket = await connectRawSocket(many.url, await accessTokenOf(many.url))
  for (let n = 0; n < 200; n++) socket.send({ type: 'subscribe', id: String(n), payload: RUNS })
  socket.send({ type: 'subscribe', id: 'more', payload: RUNS })

  const refused = { errors: [{ extensions: { code: 'RATE_LIMITED' } }] }
  expect(await socket.next('next')).toMatchObject({ id: 'more', payload: refused })
  socket.send({ type: 'complete', id: '0' })
  socket.send({ type: 'subscribe', id: 'again', payload: RUNS })
  socket.send({ type: 'subscribe', id: 'query', payload: { query: '{ __typename }' } })
  expect(await socket.next('next')).toMatchObject({ id: 'query' }) // nothing was said of the one before
  socket.close()
  await many.stop()
})
