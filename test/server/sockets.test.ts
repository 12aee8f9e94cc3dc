import { once } from 'node:events'
import { createClient, type SubscribePayload } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp()
  token = await accessTokenOf(app.url)
})
afterAll(() => app.stop())

const socketUrl = (on: TestApp = app) => `${on.url.replace('http', 'ws')}/graphql`

/** The first result of an operation over a socket of its own. */
async function ask(payload: SubscribePayload, connectionParams?: Record<string, unknown>): Promise<unknown> {
  const client = createClient({
    url: socketUrl(),
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
  })
  try {
    const { value } = await client.iterate(payload).next()
    return value
  } finally {
    await client.dispose()
  }
}

/** Opens a socket and speaks first; gives the close code that it ends with. */
async function closeCodeAfter(connectionParams: unknown, on: TestApp = app): Promise<number> {
  const socket = new WebSocket(socketUrl(on), 'graphql-transport-ws')
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: connectionParams }))
  const [code] = await once(socket, 'close')
  return code
}

const VIEWER = { query: '{ viewer { username } }' }

describe('a socket', () => {
  test.each<[string, (token: string) => Record<string, unknown>]>([
    ['Authorization with Bearer', (bearer) => ({ Authorization: `Bearer ${bearer}` })],
    ['authorization', (bearer) => ({ authorization: `Bearer ${bearer}` })],
    ['headers', (bearer) => ({ headers: { Authorization: `Bearer ${bearer}` } })],
    ['accessToken', (accessToken) => ({ accessToken })],
  ])('takes a token as %s in connectionParams', async (_how, params) => {
    expect(await ask(VIEWER, params(token))).toMatchObject({ data: { viewer: { username: 'admin' } } })
  })

  test('without a token may ask what needs none', async () => {
    expect(await ask({ query: '{ serverInfo { version } }' })).toMatchObject({
      data: { serverInfo: { version: expect.any(String) } },
    })
    expect(await ask(VIEWER)).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
  })

  test.each([
    ['garbage', { Authorization: 'Bearer garbage' }],
    ['an API token that nobody made', { Authorization: `Bearer ty_${'A'.repeat(43)}` }],
    ['a bare token that does not count', { accessToken: 'garbage' }],
  ])('with %s is closed with 4403', async (_what, params) => {
    expect(await closeCodeAfter(params)).toBe(4403)
  })

  test('takes no other protocol', async () => {
    const socket = new WebSocket(socketUrl(), 'graphql-ws')
    const [error] = await once(socket, 'error')

    expect(error.message).toContain('subprotocol')
  })

  test('is not opened elsewhere', async () => {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/elsewhere`, 'graphql-transport-ws')
    const [error] = await once(socket, 'error')

    expect(error.message).toContain('400')
  })

  test('goes on after an operation that cannot be parsed, is not valid, or goes wrong', async () => {
    const client = createClient({
      url: socketUrl(),
      webSocketImpl: WebSocket,
      connectionParams: { Authorization: `Bearer ${token}` },
      retryAttempts: 0,
      lazy: false,
      onNonLazyError: () => {},
    })
    const errorsOf = async (query: string, variables?: Record<string, unknown>) => {
      try {
        const { value } = await client.iterate({ query, variables }).next()
        return value?.errors
      } catch (errors) {
        return errors
      }
    }

    expect(await errorsOf('{ oops')).toMatchObject([{ message: expect.stringContaining('Syntax Error') }])
    expect(await errorsOf('{ nothing }')).toMatchObject([{ message: expect.stringContaining('nothing') }])
    expect(await errorsOf('{ projects(first: 0) { totalCount } }')).toMatchObject([
      { extensions: { code: 'VALIDATION_FAILED' } },
    ])
    expect(await errorsOf('subscription { runLogs(runId: "run_nothing") { cursor } }')).toMatchObject([
      { extensions: { code: 'NOT_FOUND' } },
    ])
    expect(await errorsOf('subscription ($id: ID!) { runLogs(runId: $id) { cursor } }')).toMatchObject([
      { message: expect.stringContaining('$id') },
    ])
    expect(await client.iterate(VIEWER).next()).toMatchObject({
      value: { data: { viewer: { username: 'admin' } } },
    })
    await client.dispose()
  })

  test('with a message that is too large is closed', async () => {
    const socket = new WebSocket(socketUrl(), 'graphql-transport-ws')
    await once(socket, 'open')
    socket.send('x'.repeat(1024 * 1024 + 1))
    const [code] = await once(socket, 'close')

    expect(code).toBe(1009)
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })

  test('is closed with 4403 soon after its session has ended', async () => {
    const brief = await startTestApp({ sessionMinutes: 2 / 60 })
    const bearer = await accessTokenOf(brief.url)

    expect(await closeCodeAfter({ Authorization: `Bearer ${bearer}` }, brief)).toBe(4403)
    await brief.stop()
  })
})

describe('a server that stops', () => {
  test('tells its sockets to come back', async () => {
    const stopping = await startTestApp()
    const socket = new WebSocket(socketUrl(stopping), 'graphql-transport-ws')
    await once(socket, 'open')
    const closed = once(socket, 'close')
    await stopping.stop()

    expect((await closed)[0]).toBe(1001)
  })

  test('does not wait for a client that hangs', async () => {
    const stopping = await startTestApp()
    const project = await seed(stopping.api).project({})
    const socket = new WebSocket(socketUrl(stopping), 'graphql-transport-ws')
    await once(socket, 'open')
    const bearer = await accessTokenOf(stopping.url)
    socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${bearer}` } }))
    await once(socket, 'message')
    const query = 'subscription ($project: String) { runUpdated(project: $project) { id } }'
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { project } } }))
    socket.pause() // from here on it answers nothing, not even the request to close

    const before = performance.now()
    await stopping.stop()

    expect(performance.now() - before).toBeLessThan(15_000)
    socket.terminate()
  })
})
