import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

/** What the security audit tool graphql-cop tries, on the server as `npm start` starts it. */

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server.dispose())

async function post(body: unknown) {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, answer: await response.json() }
}

const get = (path: string, query: string) =>
  fetch(`${server.url}${path}?query=${encodeURIComponent(query)}`, { headers: { Accept: '*/*' } })

const repeat = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => part(n)).join(' ')

test('it is recognised as a GraphQL server, or nothing below would be tried', async () => {
  expect((await post({ query: 'query cop { __typename }' })).answer.data).toEqual({ __typename: 'Query' })
})

describe('there is no denial of service by', () => {
  test('aliases', async () => {
    const { answer } = await post({ query: `query cop { ${repeat(101, (n) => `alias${n}: __typename`)} }` })

    expect(answer.data).toBeUndefined()
  })

  test('batches', async () => {
    const { status, answer } = await post(Array(12).fill({ query: 'query cop { __typename }' }))

    expect(status).toBe(400)
    expect(Array.isArray(answer)).toBe(false)
  })

  test('directives', async () => {
    const { answer } = await post({ query: `query cop { __typename ${'@aa'.repeat(10)} }` })

    expect(answer.errors).toHaveLength(1)
  })

  test('repeated fields', async () => {
    const { answer } = await post({ query: `query cop { ${'__typename '.repeat(500)} }` })

    expect(answer.data).toBeUndefined()
  })

  test.each([
    'query cop { __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }',
    'query cop { ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
  ])('%s', async (query) => {
    expect((await post({ query })).answer.data).toBeUndefined()
  })
})

describe('there is no leak by', () => {
  test('introspection', async () => {
    const { answer } = await post({ query: 'query cop { __schema { types { name fields { name } } } }' })

    expect(answer.data).toBeUndefined()
  })

  test('suggestions', async () => {
    for (const query of ['query cop { __schema { directive } }', 'query cop { serverInf { version } }']) {
      const { answer } = await post({ query })

      expect(answer.errors).not.toHaveLength(0)
      expect(JSON.stringify(answer)).not.toContain('Did you mean')
    }
  })

  test.each(['/graphiql', '/playground', '/console', '/graphql'])('an IDE at %s', async (path) => {
    for (const accept of ['*/*', 'text/html']) {
      const response = await fetch(server.url + path, { headers: { Accept: accept } })

      expect(await response.text()).not.toMatch(
        /GraphiQL|GraphQL Playground|graphql-playground|graphiql\.min\.css/,
      )
    }
  })

  test('tracing', async () => {
    const { answer } = await post({ query: 'query cop { __typename }' })

    expect(answer.extensions ?? {}).not.toHaveProperty('tracing')
    expect(answer.errors).toBeUndefined()
  })

  test.each(['qwerty cop { abc }', 'query cop { abc }', '{ run(id: "\\u0000") { id } }'])(
    'an error that nobody handled: %s',
    async (query) => {
      const { answer } = await post({ query })

      expect(answer.errors).not.toHaveLength(0)
      for (const error of answer.errors) expect(error.extensions ?? {}).not.toHaveProperty('exception')
      expect(JSON.stringify(answer)).not.toMatch(/stack|node_modules|INTERNAL/)
    },
  )
})

describe('there is no request that a page of another site could make by', () => {
  test.each(['query cop { __typename }', 'mutation cop { __typename }'])('GET: %s', async (query) => {
    const response = await get('/graphql', query)

    expect(response.ok).toBe(false)
    expect(await response.text()).not.toContain('"data"')
  })

  test('a POST with the query in its address', async () => {
    const response = await fetch(`${server.url}/graphql?query=${encodeURIComponent('{ __typename }')}`, {
      method: 'POST',
    })

    expect(await response.text()).not.toContain('"data"')
  })

  test('a POST of a form', async () => {
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      body: new URLSearchParams({ query: 'query cop { __typename }' }),
    })

    expect(await response.text()).not.toContain('"data"')
  })
})
