import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

async function post(body: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  })
  return { status: response.status, text: await response.text() }
}

describe('a body that is no request is refused with 400, in JSON, without a stack:', () => {
  test.each([
    ['nothing', ''],
    ['a part of JSON', '{"query": "{ __typename }"'],
    ['no JSON', 'oops'],
    ['a text', '"{ __typename }"'],
    ['a number', '1'],
    ['null', 'null'],
    ['a batch', '[{"query":"{ __typename }"}]'],
    ['an empty batch', '[]'],
    ['no document', '{}'],
    ['a document that is a number', '{"query":1}'],
    ['a document that is a list', '{"query":["{ __typename }"]}'],
    ['variables that are a text', '{"query":"{ __typename }","variables":"a"}'],
    ['variables that are a list', '{"query":"{ __typename }","variables":[1]}'],
    ['extensions that are a text', '{"query":"{ __typename }","extensions":"a"}'],
    ['a name that is a number', '{"query":"query A { __typename }","operationName":1}'],
    ['a parameter that does not exist', '{"query":"{ __typename }","oops":1}'],
    ['a document with a mistake', '{"query":"{ oops("}'],
  ])('%s', async (_what, body) => {
    const { status, text } = await post(body, { Accept: 'application/graphql-response+json' })

    expect(status).toBe(400)
    expect(JSON.parse(text)).toMatchObject({ errors: [{ message: expect.any(String) }] })
    expect(text).not.toMatch(/stack|node_modules|at \//)
  })
})

test('__proto__ in a request is nothing special', async () => {
  const { text } = await post(
    '{"query":"{ __typename }","variables":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
  )

  expect(JSON.parse(text)).toMatchObject({ data: { __typename: 'Query' } })
  expect(Reflect.has({}, 'polluted')).toBe(false)
})

test.each([
  ['says its length', (body: string) => ({ 'Content-Length': Buffer.byteLength(body) })],
  ['does not say its length', () => ({ 'Transfer-Encoding': 'chunked' })],
])('a body of more than 25 MB that %s is refused', async (_how, lengthOf) => {
  const body = `{"query":"{ __typename }","variables":{"a":"${'x'.repeat(26_000_000)}"}}`
  const outgoing = request(`${app.url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', ...lengthOf(body) },
  })
  const status = new Promise<number | undefined>((resolve) => {
    outgoing.on('response', ({ statusCode }) => resolve(statusCode))
    outgoing.on('error', () => resolve(413)) // the server may cut those who go on sending
  })
  outgoing.end(body)

  expect(await status).toBe(413)
  expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  outgoing.destroy()
})

test.each(['PUT', 'DELETE', 'PATCH'])('%s is refused', async (method) => {
  const response = await fetch(`${app.url}/graphql`, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'test' },
    body: '{"query":"{ __typename }"}',
  })

  expect(response.status).toBe(405)
})

describe('a request that two servers could read in two ways is refused:', () => {
  const HEAD = 'POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'

  test.each([
    ['two lengths', `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}`],
    ['a length and chunks', `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length that is negative', `${HEAD}Content-Length: -2\r\n\r\n{}`],
    ['a space before a colon', `${HEAD}Content-Length : 2\r\n\r\n{}`],
    ['a header that goes on in the next line', `${HEAD}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}`],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['a header of 1 MB', `${HEAD}X-A: ${'b'.repeat(1_000_000)}\r\n\r\n`],
  ])('%s', async (_what, raw) => {
    const { hostname, port } = new URL(app.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.on('error', () => {})
    socket.write(raw)
    const answer = await text(socket).catch(() => 'HTTP/1.1 400 cut')

    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })
})
