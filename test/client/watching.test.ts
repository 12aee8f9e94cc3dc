import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiClient, type ClientOptions, createClient } from '../../src/client/client.ts'
import { AnswerError, ConnectionError } from '../../src/client/errors.ts'
import { RunAppendLogsDocument, RunLogsDocument, RunUpdatedDocument } from '../../src/generated/operations.ts'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { endRuns } from '../support/end-runs.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { type Relay, startRelay } from './support/relay.ts'

const WATCHFUL = { answerMs: 1500, keepAliveMs: 100 }
const PERSISTENT = { ...WATCHFUL, reconnect: { firstMs: 20, longestMs: 100 } }

let app: TestApp
let relay: Relay
let runId: string
let token: string
let clients: ApiClient[]
beforeAll(async () => {
  app = await startTestApp()
  const given = seed(app.api)
  runId = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  token = await accessTokenOf(app.url)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})
beforeEach(async () => {
  relay = await startRelay(app.url)
  clients = []
})
afterEach(async () => {
  for (const client of clients) await client.close()
  await relay.close()
})

function connect(options: ClientOptions): ApiClient {
  const client = createClient(relay.url, options)
  client.useToken(token)
  clients.push(client)
  return client
}

const END = { done: true, value: undefined }

/** Has the run say something. */
async function say(...messages: string[]): Promise<void> {
  const lines = messages.map((message) => ({ message }))
  const { appendRunLogs } = await app.api.send(RunAppendLogsDocument, { input: { runId, lines } })
  expect(appendRunLogs.__typename).toBe('Run')
}

describe('a subscription', () => {
  test('fails when its server is silent, on an open connection', async () => {
    const updates = connect(WATCHFUL).watch(RunUpdatedDocument, { runId })
    await updates.next()

    relay.freeze()

    await expect(updates.next()).rejects.toThrow(ConnectionError)
  })

  test('fails when its server is silent, while it connects', async () => {
    relay.freeze()

    const updates = connect(WATCHFUL).watch(RunUpdatedDocument, { runId })

    await expect(updates.next()).rejects.toThrow(ConnectionError)
    await until('the connection to be given up', () => relay.open() === 0)
  })

  test('goes on for as long as pings are answered', async () => {
    const updates = connect({ answerMs: 30_000, keepAliveMs: 5 }).watch(RunLogsDocument, { runId })
    for (let n = 0; n < 20; n++) {
      await say(`quiet ${n}`)
      expect(await updates.next()).toMatchObject({ done: false })
    }
    expect(relay.taken()).toBe(1)
  })

  test('can be ended while nothing comes', async () => {
    const client = connect({})
    const leaving = new AbortController()
    const watches = [
      client.watch(RunUpdatedDocument, { runId }),
      client.watch(RunUpdatedDocument, { runId }, { signal: leaving.signal }),
    ]
    await Promise.all(watches.map((updates) => updates.next()))
    const waiting = watches.map((updates) => updates.next())

    const returned = watches[0]?.return?.()
    leaving.abort()

    expect(await Promise.all(waiting)).toEqual([END, END])
    expect(await returned).toEqual(END)
    await until('the connection to be closed', () => relay.open() === 0)
  })

  test('ends when the client is closed, connected or not', async () => {
    const connected = connect({}).watch(RunUpdatedDocument, { runId })
    await connected.next()
    relay.freeze()
    const connecting = [connect({}), connect(PERSISTENT)].map((client) =>
      client.watch(RunUpdatedDocument, { runId }),
    )
    const waiting = [connected, ...connecting].map((updates) => updates.next())
    await until('all to be on their way', () => relay.taken() >= 3)

    await Promise.all(clients.map((client) => client.close()))

    expect(await Promise.all(waiting)).toEqual([END, END, END])
    await until('the connections to be gone', () => relay.open() <= 1) // that of the relay to the server
  })

  test('ends when the client moves on while it connects', async () => {
    relay.freeze()
    const client = connect({})
    const waiting = client.watch(RunUpdatedDocument, { runId }).next()
    await until('it to be on its way', () => relay.taken() === 1)

    client.moveTo(app.url)

    expect(await waiting).toEqual(END)
    const updates = client.watch(RunUpdatedDocument, { runId })
    expect(await updates.next()).toMatchObject({ value: { runUpdated: { status: 'RUNNING' } } })
  })

  test('that the server refuses fails with the codes of the errors', async () => {
    const refused = connect(PERSISTENT).watch(RunUpdatedDocument, { runId: 'run_none' }).next()
    await expect(refused).rejects.toThrow(AnswerError)
    await expect(refused).rejects.toMatchObject({ codes: ['NOT_FOUND'] })
  })
})

describe('a subscription of a client that reconnects', () => {
  test('goes on after its last message, however often the connection breaks', async () => {
    let cursor: string | null = null
    const seen: string[] = []
    const leaving = new AbortController()
    const watching = (async () => {
      const logs = connect(PERSISTENT).watch(RunLogsDocument, () => ({ runId, after: cursor }), {
        signal: leaving.signal,
      })
      for await (const { runLogs } of logs) {
        seen.push(...runLogs.lines.map(({ message }) => message).filter((text) => text.startsWith('line ')))
        cursor = runLogs.cursor
      }
    })()
    const said = Array.from({ length: 60 }, (_, n) => `line ${n}`)
    const breaks = [
      () => relay.cut(),
      async () => {
        const before = relay.taken()
        relay.freeze()
        await until('it to be noticed', () => relay.taken() > before)
        relay.thaw()
      },
    ]

    for (const [n, line] of said.entries()) {
      await say(line)
      if (n % 10 === 3) await until('a line', () => seen.length > n)
      if (n % 10 === 5) await breaks[Math.floor(n / 10) % 2]?.()
    }

    await until('all lines', () => seen.length >= said.length)
    leaving.abort()
    await watching
    expect(seen).toEqual(said)
  })

  test('moves with the client, connected or connecting', async () => {
    const client = connect({ ...PERSISTENT, answerMs: 60_000 })
    const updates = client.watch(RunUpdatedDocument, { runId })
    await updates.next()
    const second = await startRelay(app.url)
    second.freeze()

    client.moveTo(second.url)
    const waiting = updates.next()
    await until('it to be on its way', () => second.taken() === 1)
    client.moveTo(app.url)

    expect(await waiting).toMatchObject({ value: { runUpdated: { status: 'RUNNING' } } })
    await second.close()
  })

  test('waits for its server to come back', async () => {
    await relay.close()
    const waiting = connect(PERSISTENT).watch(RunUpdatedDocument, { runId }).next()
    const port = Number(new URL(relay.url).port)

    relay = await startRelay(app.url, port)

    expect(await waiting).toMatchObject({ value: { runUpdated: { status: 'RUNNING' } } })
  })

  test('fails when its token does not count, or no longer', async () => {
    const client = connect(PERSISTENT)
    client.useToken('wrong')
    const refused = client.watch(RunUpdatedDocument, { runId }).next()
    await expect(refused).rejects.toThrow(AnswerError)
    await expect(refused).rejects.toMatchObject({ codes: ['UNAUTHENTICATED'] })

    const own = await accessTokenOf(app.url)
    client.useToken(own)
    const updates = client.watch(RunUpdatedDocument, { runId })
    await updates.next()
    await client.send('mutation { logout }')
    await expect(updates.next()).rejects.toMatchObject({ codes: ['UNAUTHENTICATED'] })
  })
})
