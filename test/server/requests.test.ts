import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
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

describe('an address that holds no request is refused with 400:', () => {
  test.each([
    ['no document', ''],
    ['variables that are no JSON', 'query={__typename}&variables={oops'],
    ['variables that are a list', 'query={__typename}&variables=[]'],
    ['variables that are a number', 'query={__typename}&variables=1'],
    ['extensions that are no JSON', 'query={__typename}&extensions=oops'],
    ['a document with a mistake', 'query={oops('],
    ['escapes that are none', 'query=%7B__typename%7D&variables=%E0%A4%A'],
  ])('%s', async (_what, search) => {
    const response = await fetch(`${app.url}/graphql?${search}`, {
      headers: { 'X-Requested-With': 'test', Accept: 'application/graphql-response+json' },
    })

    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.any(String) }] })
  })
})

test.each(['text/event-stream', 'application/json', '*/*'])(
  'a subscription over HTTP that accepts %s is refused, because nobody would end it with its session',
  async (accept) => {
    const { status, text } = await post('{"query":"subscription { runUpdated { id } }"}', {
      Accept: accept,
      Authorization: `Bearer ${await accessTokenOf(app.url)}`,
    })

    expect(status).toBeLessThan(500)
    expect(text).toContain('on WebSockets only')
  },
)

test('__proto__ in a request is nothing special', async () => {
  const { text } = await post(
    '{"query":"{ __typename }","variables":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}',
  )

  expect(JSON.parse(text)).toMatchObject({ data: { __typename: 'Query' } })
  expect(Reflect.has({}, 'polluted')).toBe(false)
})

describe.each([
  ['says its length', (body: string) => ({ 'Content-Length': Buffer.byteLength(body) })],
  ['does not say its length', () => ({ 'Transfer-Encoding': 'chunked' })],
])('a body that %s', (_how, lengthOf) => {
  async function statusFor(bytes: number, credentials: Record<string, string> = {}) {
    const body = `{"query":"{ __typename }","variables":{"a":"${'x'.repeat(bytes)}"}}`
    const outgoing = request(`${app.url}/graphql`, {
      method: 'POST',
      agent: false,
      headers: { 'Content-Type': 'application/json', ...credentials, ...lengthOf(body) },
    })
    const status = new Promise<number | undefined>((resolve) => {
      outgoing.on('response', ({ statusCode }) => resolve(statusCode))
      outgoing.on('error', () => resolve(413)) // the server may cut those who go on sending
    })
    outgoing.end(body)
    const answer = await status
    outgoing.destroy()
    return answer
  }
  const signedIn = async () => ({ Authorization: `Bearer ${await accessTokenOf(app.url)}` })

  test('has more than 25 MB is refused', async () => {
    expect(await statusFor(26_000_000, await signedIn())).toBe(413)
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })

  test('has more than 100 kB is taken from those with credentials only', async () => {
    const credentials = await signedIn()

    expect(await statusFor(90_000)).toBe(200)
    expect(await statusFor(110_000)).toBe(413)
    expect(await statusFor(110_000, { Authorization: 'Bearer wrong' })).toBe(413)
    expect(await statusFor(1_000_000, credentials)).toBe(200)
  })
})

test.each(['PUT', 'DELETE', 'PATCH'])('%s is refused', async (method) => {
  const response = await fetch(`${app.url}/graphql`, {
    method,
    headers: { 'Content-Type': 'application/json', 'X-Requested-With': 'test' },
    body: '{"query":"{ __typename }"}',
  })

  expect(response.status).toBe(405)
})

/** The answer to bytes that no client would send. */
async function answerTo(raw: string): Promise<string> {
  const { hostname, port } = new URL(app.url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.write(raw)
  return text(socket).catch(() => 'HTTP/1.1 400 cut')
}

test.each(['[', 'a b', 'a@b:99999', 'a:b:c'])('a Host of %s is refused without a stack', async (host) => {
  const answer = await answerTo(
    `GET /graphql?query={__typename} HTTP/1.1\r\nHost: ${host}\r\nX-Requested-With: a\r\nConnection: close\r\n\r\n`,
  )

  expect(answer).toMatch(/^HTTP\/1\.1 400 /)
  expect(answer).not.toMatch(/node_modules|at new/)
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
    const answer = await answerTo(raw)

    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })
})
