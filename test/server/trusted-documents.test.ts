import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError } from '../../src/config.ts'
import { PAGE_DOCUMENTS } from '../../src/server/pages/session-script.ts'
import { readTrustedDocuments } from '../../src/server/trusted-documents.ts'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket, type RawSocket } from '../support/raw-socket.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const INFO = 'query Info { serverInfo { version } }'
const TYPE = 'query Type { __typename }'
const LOGIN = 'mutation Login($input: LoginInput!) {\n  login(input: $input) {\n    __typename\n  }\n}'

let folder: string
let app: TestApp
let socket: RawSocket
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-test-'))
  const { LoginDocument } = await import('../../src/generated/operations.ts')
  const { print } = await import('graphql')
  const documents = [INFO, LOGIN, print(LoginDocument)].map((text) => [sha256(text), text])
  const trustedDocuments = join(folder, 'documents.json')
  writeFileSync(
    trustedDocuments,
    JSON.stringify({ ...Object.fromEntries(documents), [`sha256:${sha256(TYPE)}`]: TYPE }),
  )
  app = await startTestApp({ trustedDocuments })
  socket = await connectRawSocket(app.url, null)
})
afterAll(async () => {
  socket.close()
  await app.stop()
  rmSync(folder, { recursive: true })
})

async function overHttp(params: object): Promise<unknown> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(params),
  })
  return { status: response.status, ...(await response.json()) }
}

let used = 0
async function overSocket(params: object): Promise<unknown> {
  socket.send({ type: 'subscribe', id: String(++used), payload: { query: '', ...params } })
  const { payload } = await socket.next('next', 'error')
  return Array.isArray(payload) ? { errors: payload } : payload
}

describe.each([
  ['over HTTP', overHttp],
  ['on a socket', overSocket],
])('%s', (_transport, ask) => {
  test.each<[string, object]>([
    ['its id', { documentId: `sha256:${sha256(INFO)}` }],
    ['its hash', { extensions: { persistedQuery: { version: 1, sha256Hash: sha256(INFO) } } }],
    ['its text', { query: INFO }],
    ['its id beside another text', { documentId: `sha256:${sha256(INFO)}`, query: '{ viewer { id } }' }],
  ])('a trusted document is performed by %s', async (_how, params) => {
    expect(await ask(params)).toMatchObject({ data: { serverInfo: { version: expect.any(String) } } })
  })

  test('a key may name its algorithm', async () => {
    expect(await ask({ documentId: `sha256:${sha256(TYPE)}` })).toMatchObject({
      data: { __typename: 'Query' },
    })
  })

  test.each<[string, object]>([
    ['another text', { query: '{ __typename }' }],
    ['a trusted text with another space', { query: `${INFO} ` }],
    ['an id that nobody knows', { documentId: `sha256:${sha256('{ a }')}` }],
    ['an id that nobody knows, beside a trusted text', { documentId: 'sha256:0', query: INFO }],
    [
      'the hash of a text that is sent along',
      { query: '{ __typename }', documentId: sha256('{ __typename }') },
    ],
    ['extensions of another kind', { extensions: { persistedQuery: 'a' } }],
    ['nothing', {}],
  ])('%s is refused', async (_what, params) => {
    expect(await ask(params)).toMatchObject({ errors: [{ extensions: { code: 'DOCUMENT_NOT_TRUSTED' } }] })
  })
})

test('our own pages work', async () => {
  const variables = { input: { username: 'admin', password: PASSWORD } }

  expect(await overHttp({ query: PAGE_DOCUMENTS.login, variables })).toMatchObject({
    data: { login: { accessToken: expect.any(String) } },
  })
})

test('without the setting neither way of naming a document means anything', async () => {
  const plain = await startTestApp()
  const response = await fetch(`${plain.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      query: '{ __typename }',
      documentId: `sha256:${sha256(INFO)}`,
      extensions: { persistedQuery: { version: 1, sha256Hash: sha256(INFO) } },
    }),
  })

  expect(await response.json()).toMatchObject({ data: { __typename: 'Query' } })
  await plain.stop()
})

describe('a file that is none is told in one line', () => {
  test.each([
    ['oops', 'JSON'],
    ['[]', 'not an object'],
    ['{"abc": "{ a }"}', 'SHA-256'],
    [`{"${sha256('{ a }')}": 1}`, 'not text'],
  ])('%s', async (content, reason) => {
    const file = join(folder, 'wrong.json')
    writeFileSync(file, content)

    const reading = readTrustedDocuments(file, [])

    await expect(reading).rejects.toThrow(ConfigError)
    await expect(reading).rejects.toThrow(/^Wrong setting: TRAINYARD_TRUSTED_DOCUMENTS: [^\n]*$/)
    await expect(reading).rejects.toThrow(reason)
  })

  test('one that is not there', async () => {
    await expect(readTrustedDocuments(join(folder, 'nothing.json'), [])).rejects.toThrow(/ENOENT/)
  })
})
