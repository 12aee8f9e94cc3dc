import { createServer, type RequestListener } from 'node:http'
import { APIError, InternalServerError } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeServer, listen } from '../../src/server/http.ts'
import { type ModelServer, startModelServer } from '../support/model-server-process.ts'
import { until } from '../support/until.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

let model: ModelServer
let gateway: TestGateway
beforeAll(async () => {
  model = await startModelServer('--served-model-name', 'echo')
  gateway = await startGateway({ limits: { maxBodyBytes: 1_000_000, silenceMs: 60_000 } })
  gateway.directory.serve('echo', model.url)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await model[Symbol.asyncDispose]()
})

const chat = (metadata: Record<string, string> = {}, name = 'echo') => ({
  model: name,
  messages: [{ role: 'user' as const, content: 'mind the gap' }],
  metadata,
})

/** Reads a stream to its end. @returns the text that came, and what ended it */
async function read(on: TestGateway, body: ReturnType<typeof chat>) {
  let text = ''
  try {
    const stream = await on.client.chat.completions.create({ ...body, stream: true })
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    return { text, error: null }
  } catch (error) {
    return { text, error }
  }
}

/** Something in place of a model server. */
async function serveStrangely(on: TestGateway, name: string, listener: RequestListener) {
  const server = createServer(listener)
  on.directory.serve(name, `http://127.0.0.1:${await listen(server, '127.0.0.1', 0)}`)
  return { [Symbol.asyncDispose]: () => closeServer(server, 0) }
}

describe('when the model server breaks off', () => {
  test('in the middle of a stream, the client has what came until then, and an error', async () => {
    const { text, error } = await read(gateway, chat({ break_after: '2' }))

    expect(text).toBe('mind the')
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: 'model_server_failed', type: 'server_error' })
    expect(gateway.directory.records.at(-1)).toMatchObject({
      status: 502,
      error: 'The model server broke off before the end.',
    })
  })

  test('because it is killed, it is the same', async () => {
    const victim = await startModelServer('--served-model-name', 'victim', '--tokens-per-second', '5')
    gateway.directory.serve('victim', victim.url)
    const stream = await gateway.client.chat.completions.create({
      ...chat({}, 'victim'),
      max_tokens: 1000,
      stream: true,
    })

    const reading = (async () => {
      for await (const { choices } of stream) if (choices[0]?.delta.content) await victim.kill()
    })()

    await expect(reading).rejects.toMatchObject({ code: 'model_server_failed' })
    await until('the deployment is released', () => gateway.directory.held() === 0)
    const next = gateway.client.chat.completions.create(chat({}, 'victim'))
    await expect(next).rejects.toMatchObject({ status: 502, code: 'model_server_unreachable' })
  })

  test.each([true, false])(
    'before the first byte, the client is told with 502 (stream: %s)',
    async (stream) => {
      const answer = gateway.client.chat.completions.create({ ...chat({ break_after: '0' }), stream })

      await expect(answer).rejects.toThrow(InternalServerError)
      await expect(answer).rejects.toMatchObject({ status: 502, code: 'model_server_failed' })
    },
  )

  test('in the middle of an answer of one piece, the client does not take the half for the whole', async () => {
    await using _server = await serveStrangely(gateway, 'half', (_req, res) => {
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 })
      res.write('{"choices": [', () => res.destroy())
    })
    const response = await gateway.post('/v1/chat/completions', chat({}, 'half'))

    await expect(response.text()).rejects.toThrow()
    expect(gateway.directory.records.at(-1)).toMatchObject({ status: 502 })
  })

  test('between two requests, by closing a connection that was idle, nobody notices', async () => {
    const used = new WeakSet<object>()
    await using _server = await serveStrangely(gateway, 'closing', (req, res) => {
      if (used.has(req.socket)) return void req.socket.destroy()
      used.add(req.socket)
      res.writeHead(200, { 'Content-Type': 'application/json' })
      res.end('{"choices": []}')
    })

    for (let n = 0; n < 4; n++) {
      expect((await gateway.post('/v1/chat/completions', chat({}, 'closing'))).status).toBe(200)
    }
  })
})

describe('when nothing goes on', () => {
  test('before the first byte, the client is told with 504', async () => {
    await using impatient = await startGateway({ limits: { maxBodyBytes: 1_000_000, silenceMs: 100 } })
    impatient.directory.serve('echo', model.url)
    const { aborted } = await model.counts()
    const answer = impatient.client.chat.completions.create(chat({ silent_after: '0' }))

    await expect(answer).rejects.toMatchObject({ status: 504, code: 'model_server_timeout' })
    await until('the model server is rid of it', async () => (await model.counts()).aborted === aborted + 1)
  })

  test('in the middle of a stream, it ends with an error', async () => {
    await using impatient = await startGateway({ limits: { maxBodyBytes: 1_000_000, silenceMs: 100 } })
    impatient.directory.serve('echo', model.url)

    expect(await read(impatient, chat({ silent_after: '2' }))).toMatchObject({
      text: 'mind the',
      error: { code: 'model_server_timeout' },
    })
  })

  test('because the client reads nothing, it is cut off', async () => {
    await using impatient = await startGateway({ limits: { maxBodyBytes: 1_000_000, silenceMs: 100 } })
    impatient.directory.serve('echo', model.url)
    const { aborted } = await model.counts()
    const flood = { ...chat({ token_bytes: '1000000' }), stream: true, max_tokens: 100 }
    const response = await impatient.post('/v1/chat/completions', flood)

    await until('the model server is rid of it', async () => (await model.counts()).aborted === aborted + 1)
    expect(impatient.directory.records).toMatchObject([
      { status: 499, error: 'The client has taken nothing for too long.' },
    ])
    await expect(response.blob()).rejects.toThrow()
  })
})

describe('when the model server refuses', () => {
  test('without the shape of OpenAI, the client gets that shape', async () => {
    const answer = gateway.client.chat.completions.create(chat({ plain_error: 'CUDA out of memory' }))

    await expect(answer).rejects.toThrow(InternalServerError)
    await expect(answer).rejects.toMatchObject({
      status: 500,
      type: 'server_error',
      message: expect.stringContaining('CUDA out of memory'),
    })
  })

  test.each([
    ['{"detail": [{"loc": ["body", "n"], "msg": "too many"}]}', '[{"loc":["body","n"],"msg":"too many"}]'],
    ['{"object": "error", "message": "too long", "code": 400}', 'too long'],
    ['{"error": "busy"}', 'busy'],
    ['', 'The model server refused with status 422.'],
  ])('with %s, the client reads why', async (body, message) => {
    await using _server = await serveStrangely(gateway, `refusing ${body}`, (_req, res) => {
      res.writeHead(422, { 'Retry-After': '7' })
      res.end(body)
    })
    const response = await gateway.post('/v1/chat/completions', chat({}, `refusing ${body}`))

    expect([response.status, response.headers.get('retry-after')]).toEqual([422, '7'])
    expect(await response.json()).toEqual({
      error: { message, type: 'invalid_request_error', param: null, code: null },
    })
  })

  test('by leading elsewhere, nobody goes there', async () => {
    await using _server = await serveStrangely(gateway, 'leading', (_req, res) => {
      res.writeHead(307, { Location: 'http://127.0.0.1:1/v1/chat/completions' })
      res.end()
    })

    expect((await gateway.post('/v1/chat/completions', chat({}, 'leading'))).status).toBe(502)
  })

  test("the gateway's credentials, it is not the client whose token is wrong", async () => {
    const answer = gateway.client.chat.completions.create(chat({ status: '401' }))

    await expect(answer).rejects.toMatchObject({ status: 502 })
  })

  test('to tell the usage of streams, it is asked again without, and from then on only so', async () => {
    await using stubborn = await startModelServer(
      '--served-model-name',
      'stubborn',
      '--refuse-stream-options',
    )
    gateway.directory.serve('stubborn', stubborn.url)

    const texts = [await read(gateway, chat({}, 'stubborn')), await read(gateway, chat({}, 'stubborn'))]

    expect(texts).toEqual(Array(2).fill({ text: 'mind the gap', error: null }))
    expect(await stubborn.counts()).toMatchObject({ begun: 3 })
    expect(gateway.directory.records.at(-1)).toMatchObject({ status: 200, completionTokens: null })
  })
})
