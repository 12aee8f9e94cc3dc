import { once } from 'node:events'
import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ModelDirectory } from '../../src/gateway/model-directory.ts'
import { type ModelServer, startModelServer } from '../support/model-server-process.ts'
import { startGateway, type TestGateway, TOKENS } from './support/gateway.ts'

const CHAT = '/v1/chat/completions'
const MAX_BODY_BYTES = 100_000

let model: ModelServer
let gateway: TestGateway
beforeAll(async () => {
  model = await startModelServer('--served-model-name', 'echo')
  gateway = await startGateway({ limits: { maxBodyBytes: MAX_BODY_BYTES, silenceMs: 60_000 } })
  gateway.directory.serve('echo', model.url)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await model[Symbol.asyncDispose]()
})

const messages = [{ role: 'user', content: 'which platform?' }]

/** Sends anything to a gateway with a token to run. */
function send(path: string, options: RequestInit, on: TestGateway = gateway): Promise<Response> {
  const headers = { Authorization: `Bearer ${TOKENS.RUN}`, ...options.headers }
  return fetch(on.url + path, { method: 'POST', ...options, headers })
}

/** Sends a body without telling its size. @returns the status of the answer */
async function statusOfChunks(chunks: string[]): Promise<number | undefined> {
  const headers = { Authorization: `Bearer ${TOKENS.RUN}` }
  const sent = request(gateway.url + CHAT, { method: 'POST', headers })
  for (const chunk of chunks) sent.write(chunk)
  sent.end()
  const [answer] = await once(sent, 'response')
  answer.resume()
  return answer.statusCode
}

describe('a request that is none', () => {
  test.each([
    ['is not JSON', '{"model": "echo"', 'The body is not valid JSON.', null],
    ['is empty', '', 'The body is not valid JSON.', null],
    ['is a list', '[]', 'The body must be a JSON object.', null],
    ['is null', 'null', 'The body must be a JSON object.', null],
    ['names no model', '{"messages": []}', 'you must provide a model parameter', 'model'],
    ['names a model by a number', '{"model": 1}', 'you must provide a model parameter', 'model'],
    ['streams in words', '{"model": "echo", "stream": "yes"}', 'stream must be true or false', 'stream'],
    [
      'has odd options',
      '{"model": "echo", "stream_options": 1}',
      'stream_options must be an object',
      'stream_options',
    ],
  ])('because it %s is refused', async (_why, body, message, param) => {
    const response = await gateway.post(CHAT, body)

    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({
      error: { message, type: 'invalid_request_error', param, code: null },
    })
  })

  test('because it is too large is refused, whether its size is announced or not', async () => {
    const body = JSON.stringify({ model: 'echo', messages, padding: 'x'.repeat(2 * MAX_BODY_BYTES) })
    const announced = await gateway.post(CHAT, body)

    expect(announced.status).toBe(413)
    expect(await announced.json()).toMatchObject({ error: { code: 'request_too_large' } })
    expect(await statusOfChunks([body.slice(0, 1000), body.slice(1000)])).toBe(413)
  })

  test('because it is compressed is refused', async () => {
    const body = gzipSync(JSON.stringify({ model: 'echo', messages }))

    expect((await send(CHAT, { body, headers: { 'Content-Encoding': 'gzip' } })).status).toBe(415)
  })

  test('because nothing is there, or not for this method, is refused', async () => {
    const nowhere = await send('/v1/images/generations', { body: '{}' })
    const wrongMethod = await send(CHAT, { method: 'GET' })

    expect([nowhere.status, wrongMethod.status]).toEqual([404, 405])
    expect(await nowhere.json()).toMatchObject({ error: { code: 'unknown_url' } })
    expect(wrongMethod.headers.get('allow')).toBe('POST, OPTIONS')
  })

  test('does not reach a model', async () => {
    expect(await model.counts()).toMatchObject({ begun: 0 })
  })
})

describe('a request to a model', () => {
  test('arrives without what says who sent it', async () => {
    const headers = {
      Cookie: 'trainyard_refresh=secret',
      'X-Request-Id': 'trace-7',
      'X-Forwarded-For': '10.0.0.1',
    }
    const response = await send(CHAT, { body: JSON.stringify({ model: 'echo', messages }), headers })
    const received = await model.lastRequest()

    expect(response.headers.get('x-request-id')).toBe('trace-7')
    expect(received.url).toBe(CHAT)
    expect(received.headers).toMatchObject({ 'x-request-id': 'trace-7', 'content-type': 'application/json' })
    expect(JSON.stringify(received)).not.toMatch(/secret|10\.0\.0\.1|authorization|token/i)
  })

  test('arrives byte for byte', async () => {
    const body = `{ "model": "echo", "seed": 12345678901234567890, "messages": ${JSON.stringify(messages)} }`
    await gateway.post(CHAT, body)

    expect((await model.lastRequest()).body).toBe(body)
  })

  test('that streams arrives with nothing changed but the question for its usage', async () => {
    const body = `{ "model": "echo", "stream": true, "seed": 12345678901234567890 }`
    await (await gateway.post(CHAT, body)).text()

    expect((await model.lastRequest()).body).toBe(
      `{"stream_options":{"include_usage":true}, "model": "echo", "stream": true, "seed": 12345678901234567890 }`,
    )
  })

  test.each([null, {}, { include_usage: false }])(
    'that streams with the options %j gets no usage, which is counted all the same',
    async (stream_options) => {
      const response = await gateway.post(CHAT, { model: 'echo', messages, stream: true, stream_options })

      expect(await response.text()).not.toContain('"usage"')
      expect(response.headers.get('content-type')).toContain('text/event-stream')
      expect(gateway.directory.records.at(-1)).toMatchObject({ promptTokens: 2, completionTokens: 2 })
    },
  )

  test('goes to the deployments of its name in turn', async () => {
    await using twins = await startGateway()
    await using other = await startModelServer('--served-model-name', 'echo')
    twins.directory.serve('echo', model.url)
    twins.directory.serve('echo', other.url)

    for (let n = 0; n < 6; n++) await (await twins.post(CHAT, { model: 'echo', messages })).text()

    const servedBy = twins.directory.records.map(({ deploymentId }) => deploymentId)
    expect(servedBy.toSorted()).toEqual(['dep_1', 'dep_1', 'dep_1', 'dep_2', 'dep_2', 'dep_2'])
    expect((await twins.client.models.list()).data).toHaveLength(1)
  })

  test('waits for one that loads, and stops waiting when its client leaves', async () => {
    const waiting = Promise.withResolvers<AbortSignal>()
    const loading: ModelDirectory = {
      list: async () => [],
      acquire: (_principal, _name, signal) => {
        waiting.resolve(signal)
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        )
      },
      record: () => undefined,
    }
    await using patient = await startGateway({ directory: loading })
    const leaving = new AbortController()
    const answer = patient.post(CHAT, { model: 'echo', messages }, { signal: leaving.signal })
    const signal = await waiting.promise

    leaving.abort()

    await expect(answer).rejects.toThrow()
    await expect.poll(() => signal.aborted).toBe(true)
  })
})

describe('who sends a request', () => {
  test('must say so', async () => {
    const response = await fetch(`${gateway.url}/v1/models`)

    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_api_key' } })
  })

  test('too often is told when to come again', async () => {
    await using busy = await startGateway({
      countRequest: async (_req, _res, principal) => (principal === null ? null : 3),
    })

    await expect(busy.client.models.list()).rejects.toMatchObject({
      status: 429,
      code: 'rate_limit_exceeded',
    })
  })
})

test('a defect is not shown to the client', async () => {
  await using broken = await startGateway({
    authenticate: async () => {
      throw new TypeError('cannot read properties of undefined')
    },
  })
  const response = await send('/v1/models', { method: 'GET' }, broken)

  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('undefined')
})
