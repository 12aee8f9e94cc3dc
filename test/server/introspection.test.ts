import { getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket } from '../support/raw-socket.ts'

const AUDIENCES = ['signed-in', 'everyone', 'off'] as const

const apps = new Map<string, TestApp>()
beforeAll(async () => {
  for (const introspection of AUDIENCES) apps.set(introspection, await startTestApp({ introspection }))
})
afterAll(() => Promise.all(apps.values().map((app) => app.stop())))

function urlOf(introspection: string): string {
  return apps.get(introspection)?.url ?? ''
}

async function overHttp(url: string, query: string, token: string | null): Promise<object> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(token !== null && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
  })
  return response.json()
}

async function overSocket(url: string, query: string, token: string | null): Promise<unknown> {
  const socket = await connectRawSocket(url, token)
  socket.send({ type: 'subscribe', id: '1', payload: { query } })
  const { payload } = await socket.next('next', 'error')
  socket.close()
  return payload
}

const QUERIES = [
  ['the schema', getIntrospectionQuery()],
  ['a type', '{ __type(name: "Run") { name } }'],
  ['a type, through fragments', '{ ...A } fragment A on Query { ... { x: __type(name: "Run") { name } } }'],
] as const

describe.each([
  ['over HTTP', overHttp],
  ['on a socket', overSocket],
])('%s', (_transport, ask) => {
  describe.each(QUERIES)('%s', (_what, query) => {
    test.each([
      { introspection: 'signed-in', who: 'somebody', isShown: true },
      { introspection: 'signed-in', who: 'nobody', isShown: false },
      { introspection: 'everyone', who: 'nobody', isShown: true },
      { introspection: 'off', who: 'somebody', isShown: false },
    ])('is shown to $who where it is $introspection: $isShown', async ({ introspection, who, isShown }) => {
      const url = urlOf(introspection)
      const answer = await ask(url, query, who === 'somebody' ? await accessTokenOf(url) : null)

      if (isShown) expect(answer).toMatchObject({ data: expect.anything() })
      else expect(answer).toMatchObject({ errors: [{ extensions: { code: 'INTROSPECTION_DISABLED' } }] })
      if (!isShown) expect(answer).not.toHaveProperty('data')
    })
  })

  test('__typename is for everyone', async () => {
    expect(await ask(urlOf('off'), '{ __typename }', null)).toMatchObject({ data: { __typename: 'Query' } })
  })

  test.each([
    ['a field', '{ serverInf { version } }'],
    ['a field of the schema', '{ __schema { directive } }'],
    ['a type', '{ ... on Quer { serverInfo { version } } }'],
    ['an argument', '{ run(i: "a") { id } }'],
    ['an enum value', '{ projects(filter: { status: DRAF }) { totalCount } }'],
    ['a variable', 'mutation { login(inpu: {}) { __typename } }'],
    ['an input field', 'mutation { login(input: { usernam: "a", password: "b" }) { __typename } }'],
  ])('nobody is told what %s might be called', async (_what, query) => {
    const answer = JSON.stringify(await ask(urlOf('everyone'), query, null))

    expect(answer).toContain('GRAPHQL_VALIDATION_FAILED')
    expect(answer).not.toMatch(/did you mean/i)
    expect(answer).not.toMatch(/stack|node_modules|src\//)
  })
})

test('a wrong value in a variable is told without suggesting another', async () => {
  const response = await fetch(`${urlOf('everyone')}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      query: 'query ($f: ProjectFilter) { projects(filter: $f) { totalCount } }',
      variables: { f: { status: 'DRAF', serch: 'a' } },
    }),
  })
  const text = await response.text()

  expect(text).toContain('BAD_USER_INPUT')
  expect(text).not.toMatch(/did you mean/i)
})
