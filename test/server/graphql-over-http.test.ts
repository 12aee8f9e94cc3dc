import { serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PASSWORD, startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let open: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp()
  // Some audits ask for the name of a type, which is for those who are signed in.
  open = await startTestApp({ introspection: 'everyone' })
  const { login } = await app.api.send<{ login: { accessToken: string } }, object>(
    'mutation ($input: LoginInput!) { login(input: $input) { ... on Session { accessToken } } }',
    { input: { username: 'admin', password: PASSWORD } },
  )
  token = login.accessToken
})
afterAll(() => Promise.all([app.stop(), open.stop()]))

/** The audits of the GraphQL over HTTP specification, by name; what each does is decided when it is run. */
const names = serverAudits({ url: 'http://127.0.0.1' }).map((audit) => `${audit.id} ${audit.name}`)

describe.each([
  ['of somebody unknown', () => open, (): HeadersInit => ({ 'GraphQL-Require-Preflight': 'true' })],
  ['with credentials', () => app, (): HeadersInit => ({ Authorization: `Bearer ${token}` })],
])('requests %s are answered as GraphQL over HTTP has it', (_who, server, credentials) => {
  test.each(names)('%s', async (name) => {
    const audit = serverAudits({
      url: `${server().url}/graphql`,
      fetchFn: (url: string, init: RequestInit = {}) =>
        fetch(url, {
          ...init,
          headers: { ...Object.fromEntries(new Headers(init.headers)), ...credentials() },
        }),
    }).find(({ id }) => name.startsWith(`${id} `))

    const result = await audit?.fn()

    expect(result).toMatchObject({ status: 'ok' })
  })
})
