import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp()
  token = await accessTokenOf(app.url)
})
afterAll(() => app.stop())

const QUERY = '{ __typename }'
const AS_JSON = JSON.stringify({ query: QUERY })
const AS_FORM = `query=${encodeURIComponent(QUERY)}`
const BOUNDARY = 'b'
const AS_MULTIPART = [
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n${AS_JSON}\r\n`,
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{}\r\n--${BOUNDARY}--\r\n`,
].join('')

async function post(type: string | null, body: string, headers: Record<string, string> = {}) {
  // As bytes, because fetch gives a text a type of its own.
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { ...(type !== null && { 'Content-Type': type }), ...headers },
    body: new TextEncoder().encode(body),
  })
  return { status: response.status, text: await response.text() }
}

describe('what a page of another site can send without being asked is refused:', () => {
  test('a GET', async () => {
    const response = await fetch(`${app.url}/graphql?${AS_FORM}`)

    expect(response.status).toBe(400)
    expect(await response.text()).toContain('GraphQL-Require-Preflight')
  })

  test('a GET with a type of content', async () => {
    const response = await fetch(`${app.url}/graphql?${AS_FORM}`, {
      headers: { 'Content-Type': 'application/json' },
    })

    expect(response.status).toBe(400)
  })

  test('a multipart form', async () => {
    const { status, text } = await post(`multipart/form-data; boundary=${BOUNDARY}`, AS_MULTIPART)

    expect(status).toBe(400)
    expect(text).toContain('GraphQL-Require-Preflight')
    expect(text).not.toContain('"data"')
  })

  test.each<[string | null, string]>([
    ['application/x-www-form-urlencoded', AS_FORM],
    ['text/plain', AS_JSON],
    ['text/plain; application/json', AS_JSON],
    ['text/plain, application/json', AS_JSON],
    ['application/json, text/plain', AS_JSON],
    ['text/plain;charset=utf-8', AS_JSON],
    ['application/graphql', QUERY],
    ['application/jsonp', AS_JSON],
    ['json', AS_JSON],
    ['', AS_JSON],
    [null, AS_JSON],
  ])('a POST of %s, even with a header or credentials', async (type, text) => {
    const attempts: Record<string, string>[] = [
      {},
      { 'X-Requested-With': 'test' },
      { Authorization: `Bearer ${token}` },
    ]
    for (const headers of attempts) {
      const answer = await post(type, text, headers)

      expect([400, 415]).toContain(answer.status)
      expect(answer.text).not.toContain('"data"')
    }
  })
})

describe('what a browser asks before sending is answered:', () => {
  test.each(['X-Requested-With', 'GraphQL-Require-Preflight', 'Apollo-Require-Preflight'])(
    'a GET and a multipart form with %s',
    async (name) => {
      const headers = { [name]: 'true' }
      const viaGet = await fetch(`${app.url}/graphql?${AS_FORM}`, { headers })
      const viaForm = await post(`multipart/form-data; boundary=${BOUNDARY}`, AS_MULTIPART, headers)

      expect(viaGet.status).toBe(200)
      expect(viaForm).toMatchObject({ status: 200, text: expect.stringContaining('"data"') })
    },
  )

  test('a GET with credentials', async () => {
    const response = await fetch(`${app.url}/graphql?query={viewer{username}}`, {
      headers: { Authorization: `Bearer ${token}` },
    })

    expect(await response.json()).toMatchObject({ data: { viewer: { username: 'admin' } } })
  })

  test.each(['application/json', 'application/json; charset=utf-8', 'application/graphql+json'])(
    'a POST of %s',
    async (type) => {
      expect(await post(type, AS_JSON)).toMatchObject({ status: 200 })
    },
  )
})

test('a header that is empty is none', async () => {
  const response = await fetch(`${app.url}/graphql?${AS_FORM}`, { headers: { 'X-Requested-With': '' } })

  expect(response.status).toBe(400)
})
