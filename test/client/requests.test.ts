import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { AnswerError, ConnectionError } from '../../src/client/errors.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/until.ts'
import { type Relay, startRelay } from './support/relay.ts'

const VERSION = '{ serverInfo { version } }'
const VERSION_IS_KNOWN = { serverInfo: { version: expect.any(String) } }
const IMPATIENT = { answerMs: 400, reconnect: { firstMs: 20, longestMs: 100 } }

let app: TestApp
let relay: Relay
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())
beforeEach(async () => {
  relay = await startRelay(app.url)
})
afterEach(() => relay.close())

test('a request that is not answered in time fails, and its connection is given up', async () => {
  const client = createClient(relay.url, IMPATIENT)
  expect(await client.send(VERSION, {}, { insist: true })).toEqual(VERSION_IS_KNOWN)
  relay.freeze()

  const asking = client.send(VERSION)

  await expect(asking).rejects.toThrow(ConnectionError)
  await expect(asking).rejects.toThrow('did not answer within 400 ms')
  await expect(client.send(VERSION)).rejects.toThrow(ConnectionError)
  expect(relay.taken()).toBeGreaterThan(1)
  relay.thaw()
  expect(await client.send(VERSION, {}, { insist: true })).toEqual(VERSION_IS_KNOWN)
})

test('a request may have a limit of its own', async () => {
  relay.freeze()
  const client = createClient(relay.url)

  await expect(client.send(VERSION, {}, { answerMs: 50 })).rejects.toThrow('did not answer within 50 ms')
})

test('an upload has as much longer as a slow network needs for it', async () => {
  const client = createClient(relay.url, { answerMs: 1 })
  relay.freeze()

  const uploading = client.ask('mutation ($file: Upload!) { x }', { file: new File(['x'.repeat(3200)], 'a') })

  await expect(uploading).rejects.toThrow('did not answer within 101 ms')
})

test('a request ends when whoever asks does not want it any more, with their reason', async () => {
  relay.freeze()
  const client = createClient(relay.url, { reconnect: IMPATIENT.reconnect })
  const asking = new AbortController()
  const answers = [false, true].map((insist) =>
    client.send(VERSION, {}, { signal: asking.signal, insist }).catch((error: unknown) => error),
  )
  await until('the requests to be on their way', () => relay.taken() === 2)

  asking.abort(new Error('Enough.'))

  expect(await Promise.all(answers)).toEqual([new Error('Enough.'), new Error('Enough.')])
  await expect(client.send(VERSION, {}, { signal: asking.signal })).rejects.toThrow('Enough.')
  expect(relay.taken()).toBe(2)
})

test('a request to where nobody listens says so', async () => {
  await relay.close()

  const asking = createClient(relay.url).send(VERSION)

  await expect(asking).rejects.toThrow(ConnectionError)
  await expect(asking).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/)
})

test('what is no answer of the API counts as none, and is shown', async () => {
  const proxy = createServer((_request, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'))
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')

  const asking = createClient(`http://127.0.0.1:${address.port}`).send(VERSION)

  await expect(asking).rejects.toThrow(ConnectionError)
  await expect(asking).rejects.toThrow('The server answered 502 with something that is not JSON: <h1>')
  await new Promise((resolve) => proxy.close(resolve))
})

test('a client that insists asks until it is answered', async () => {
  relay.freeze()
  const client = createClient(relay.url, IMPATIENT)

  const asking = client.send(VERSION, {}, { insist: true })
  await until('some attempts', () => relay.taken() >= 3)
  relay.thaw()

  expect(await asking).toEqual(VERSION_IS_KNOWN)
})

test('a client that insists takes no for an answer', async () => {
  const client = createClient(relay.url, { reconnect: IMPATIENT.reconnect })
  client.useToken('wrong')

  const asking = client.send('{ projects { totalCount } }', {}, { insist: true })

  await expect(asking).rejects.toThrow(AnswerError)
  await expect(asking).rejects.toMatchObject({ codes: ['UNAUTHENTICATED'] })
  expect(relay.taken()).toBe(1)
})

test('a client that insists goes on at a new address', async () => {
  relay.freeze()
  const hour = 3_600_000
  const client = createClient(relay.url, { answerMs: 3000, reconnect: { firstMs: hour, longestMs: hour } })
  const asking = client.send(VERSION, {}, { insist: true })
  await until('it to be on its way', () => relay.taken() >= 1)

  client.moveTo(app.url)

  expect(await asking).toEqual(VERSION_IS_KNOWN)
})
