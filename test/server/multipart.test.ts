import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CatalogCreateApiTokenDocument } from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { part, type RawAnswer, sendMultipart } from '../support/raw-upload.ts'
import { seed } from '../support/seed.ts'

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp()
  await seed(app.api).dataset('target', {})
  const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, { input: { name: 'raw' } })
  token = createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? '') : ''
})
afterAll(() => app.stop())

const UPLOAD = `mutation ($file: Upload!) {
  uploadDatasetFile(input: { dataset: "target", file: $file }) { __typename ... on Error { code message } }
}`

const operations = (value: unknown = { query: UPLOAD, variables: { file: null } }) =>
  part('name="operations"', JSON.stringify(value))
const map = (value: unknown = { 0: ['variables.file'] }) => part('name="map"', JSON.stringify(value))
const file = (text = 'text\n', name = '0') => part(`name="${name}"; filename="a.txt"`, text, 'text/plain')

/** The server refused what came, said so as GraphQL does, and lives. */
async function expectRefusal({ status, contentType, body }: RawAnswer) {
  expect(status).toBe(400)
  expect(contentType).toContain('json')
  expect(JSON.parse(body)).toMatchObject({
    errors: [{ message: expect.any(String), extensions: { code: 'BAD_REQUEST' } }],
  })
  expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
}

describe('a multipart request that is not as the specification has it is refused', () => {
  test.each([
    ['without a map', operations() + file()],
    ['without operations', map() + file()],
    ['with the map first', map() + operations() + file()],
    ['with a file first', file() + operations() + map()],
    ['with operations that are no JSON', part('name="operations"', '{oops') + map() + file()],
    ['with operations that are a number', operations(1) + map() + file()],
    ['with operations that are null', operations(null) + map() + file()],
    ['with a map that is no JSON', operations() + part('name="map"', 'oops') + file()],
    ['with a map that is a list', operations() + map([]) + file()],
    ['with a path that leads nowhere', operations() + map({ 0: ['nowhere.file'] }) + file()],
    ['with a path that is a number', operations() + map({ 0: [1] }) + file()],
    ['with a path that is empty', operations() + map({ 0: [''] }) + file()],
    ['with a path to the prototype', operations() + map({ 0: ['__proto__.file'] }) + file()],
    [
      'with too many files',
      operations() + map(Object.fromEntries(Array.from({ length: 11 }, (_, n) => [n, []]))),
    ],
    ['with a field that is too large', operations({ query: 'x'.repeat(1_100_000) }) + map() + file()],
    ['without any part', ''],
  ])('%s', async (_what, parts) => {
    await expectRefusal(await sendMultipart(app.url, token, parts))
  })

  test.each([
    ['multipart/form-data'],
    ['multipart/form-data; charset=utf-8'],
    ['multipart/form-data; boundary='],
  ])('of the type %s', async (type) => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': type, Authorization: `Bearer ${token}` },
      body: operations() + map() + file(),
    })
    await expectRefusal({
      status: response.status,
      contentType: response.headers.get('content-type') ?? '',
      body: await response.text(),
    })
  })
})

describe('a multipart request that goes wrong behind its operation is answered, and nothing is stored', () => {
  test.each([
    ['the file is missing', operations() + map()],
    ['the file has another name than the map says', operations() + map() + file('text\n', 'other')],
    [
      'the header of the file is malformed',
      `${operations() + map()}${file().replace('filename', 'file\0name')}`,
    ],
    [
      'the file is given in two places',
      operations() + map({ 0: ['variables.file', 'variables.other'] }) + file(''),
    ],
  ])('%s', async (_what, parts) => {
    const { status, body } = await sendMultipart(app.url, token, parts)

    expect(status).toBeLessThan(500)
    expect(body).toMatch(/BAD_REQUEST|VALIDATION_FAILED|DatasetFile/)
    expect(body).not.toContain('INTERNAL')
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })

  test('the last boundary is missing', async () => {
    const { body } = await sendMultipart(app.url, token, operations() + map() + file('cut'), {
      closed: false,
    })

    expect(body).toMatch(/VALIDATION_FAILED|BAD_REQUEST/)
    expect(await app.api.send('{ dataset(ref: "target") { files { sizeBytes } } }')).not.toMatchObject({
      dataset: { files: [{ sizeBytes: 3 }] },
    })
  })

  test.each(['variables.toString.call', 'query.replace.call', 'toString.bind.call'])(
    'the path is %s, which all requests share',
    async (path) => {
      await sendMultipart(app.url, token, operations() + map({ 0: [path] }) + file())

      expect(Object.prototype.toString.call('')).toBe('[object String]')
      expect(
        Reflect.has(String.prototype.replace, 'call') && !Object.hasOwn(String.prototype.replace, 'call'),
      ).toBe(true)
      expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
    },
  )

  test('the query is a file', async () => {
    const { status, body } = await sendMultipart(
      app.url,
      token,
      operations() + map({ 0: ['query'] }) + file(),
    )

    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(JSON.parse(body)).toMatchObject({ errors: [{ message: expect.any(String) }] })
  })

  test('the operation takes no file', async () => {
    const { status, body } = await sendMultipart(
      app.url,
      token,
      operations({ query: '{ __typename }', variables: { file: null } }) + map() + file('x'.repeat(500_000)),
    )

    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ data: { __typename: 'Query' } })
  })

  test('a file is refused long before its end', async () => {
    const { status, body } = await sendMultipart(
      app.url,
      token,
      operations() + map() + part('name="0"; filename="a.jsonl"', `oops\n${'{}\n'.repeat(3_000_000)}`),
    )

    expect(status).toBe(200)
    expect(body).toContain('line 1')
  })

  test('several operations in one request are refused', async () => {
    const { status } = await sendMultipart(
      app.url,
      token,
      operations([{ query: '{ __typename }' }]) + map({}) + file(),
    )

    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })
})

test('somebody unknown cannot go on and on, byte by byte, once answered', { timeout: 60_000 }, async () => {
  const { hostname, port } = new URL(app.url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.on('data', (bytes) => {
    answer += bytes.toString()
  })
  socket.on('error', () => {}) // the server cuts it
  const closed = once(socket, 'close')
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nGraphQL-Require-Preflight: true\r\nContent-Length: 100000000\r\n` +
      'Content-Type: multipart/form-data; boundary=trainyard-test-boundary\r\n\r\n' +
      operations({ query: '{ __typename }' }) +
      map({}) +
      file('').slice(0, -2),
  )
  const drip = setInterval(() => socket.write('x'), 100)
  await closed
  clearInterval(drip)

  expect(answer).toContain('HTTP/1.1 200')
})

test('a request as the specification has it is answered afterwards', async () => {
  const { body } = await sendMultipart(app.url, token, operations() + map() + file('last words\n'))

  expect(body).toMatch(/DatasetFile|CONFLICT/)
})
