import { AuthenticationError, BadRequestError, NotFoundError, OpenAI, RateLimitError } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ModelServer, startModelServer } from '../support/model-server-process.ts'
import { until } from '../support/until.ts'
import { startGateway, type TestGateway, TOKENS } from './support/gateway.ts'

const SAYING = 'the 火车 leaves at nine 🚂'

let model: ModelServer
let gateway: TestGateway
beforeAll(async () => {
  model = await startModelServer('--served-model-name', 'org/echo')
  gateway = await startGateway()
  gateway.directory.serve('org/echo', model.url)
  gateway.directory.serveNothing('asleep')
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await model[Symbol.asyncDispose]()
})

const chat = (content: string) => ({ model: 'org/echo', messages: [{ role: 'user' as const, content }] })
const lastRecord = () => gateway.directory.records.at(-1)

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

describe("OpenAI's own client", () => {
  test('lists the models and finds one by its name', async () => {
    const models = await all(gateway.client.models.list())

    expect(models.map(({ id, owned_by }) => [id, owned_by])).toEqual([
      ['asleep', 'admin'],
      ['org/echo', 'admin'],
    ])
    expect(await gateway.client.models.retrieve('org/echo')).toMatchObject({
      id: 'org/echo',
      object: 'model',
    })
    await expect(gateway.client.models.retrieve('nobody')).rejects.toThrow(NotFoundError)
  })

  test('chats', async () => {
    const { choices, usage } = await gateway.client.chat.completions.create(chat(SAYING))

    expect(choices[0]?.message.content).toBe(SAYING)
    expect(usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 6 })
    expect(lastRecord()).toEqual({
      deploymentId: 'dep_1',
      status: 200,
      promptTokens: 6,
      completionTokens: 6,
      timeToFirstTokenMs: null,
      durationMs: expect.any(Number),
      error: null,
    })
  })

  test('chats in a stream, which tells the usage to us alone', async () => {
    const stream = await gateway.client.chat.completions.create({ ...chat(SAYING), stream: true })
    const chunks = await all(stream)

    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(SAYING)
    expect(chunks.every(({ choices, usage }) => choices.length === 1 && !usage)).toBe(true)
    await until('the request is counted', () => gateway.directory.held() === 0)
    expect(lastRecord()).toMatchObject({ status: 200, promptTokens: 6, completionTokens: 6, error: null })
    expect(lastRecord()?.timeToFirstTokenMs).toBeLessThanOrEqual(lastRecord()?.durationMs ?? 0)
  })

  test('gets the usage of a stream when it asks for it', async () => {
    const stream = await gateway.client.chat.completions.create({
      ...chat(SAYING),
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await all(stream)

    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 6 } })
  })

  test('gets every character of a stream that comes byte by byte', async () => {
    const stream = await gateway.client.chat.completions.create({
      ...chat(SAYING),
      stream: true,
      metadata: { split: 'bytes' },
    })
    const text = (await all(stream)).map(({ choices }) => choices[0]?.delta.content ?? '')

    expect(text.join('')).toBe(SAYING)
    expect(lastRecord()).toMatchObject({ promptTokens: 6, completionTokens: 6 })
  })

  test('completes a text, and embeds one', async () => {
    const { choices } = await gateway.client.completions.create({ model: 'org/echo', prompt: SAYING })
    const { data, usage } = await gateway.client.embeddings.create({
      model: 'org/echo',
      input: ['abba', 'c'],
    })

    expect(choices[0]?.text).toBe(SAYING)
    expect(data.map(({ embedding }) => embedding.slice(0, 3))).toEqual([
      [2, 2, 0],
      [0, 0, 1],
    ])
    expect(usage.prompt_tokens).toBe(2)
    expect(lastRecord()).toMatchObject({ promptTokens: 2, completionTokens: null })
  })

  test('is told in the types that it knows what went wrong', async () => {
    const { completions } = gateway.client.chat
    const stranger = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'wrong', maxRetries: 0 })
    const reader = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TOKENS.READ, maxRetries: 0 })

    const wrongToken = stranger.chat.completions.create(chat('hello'))
    await expect(wrongToken).rejects.toThrow(AuthenticationError)
    await expect(wrongToken).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    const noModel = completions.create({ ...chat('hello'), model: 'nobody' })
    await expect(noModel).rejects.toThrow(NotFoundError)
    await expect(noModel).rejects.toMatchObject({ code: 'model_not_found', param: 'model' })
    const nameless = completions.create({ ...chat('hello'), model: '' })
    await expect(nameless).rejects.toThrow(BadRequestError)
    await expect(nameless).rejects.toMatchObject({ param: 'model' })
    const refused = completions.create({ ...chat('hello'), metadata: { status: '429' } })
    await expect(refused).rejects.toThrow(RateLimitError)
    await expect(refused).rejects.toThrow('This was ordered.')
    await expect(completions.create({ ...chat('hello'), model: 'asleep' })).rejects.toMatchObject({
      status: 503,
      code: 'model_unavailable',
      message: expect.stringContaining('No deployment of asleep is healthy.'),
    })
    await expect(reader.chat.completions.create(chat('hello'))).rejects.toMatchObject({
      status: 403,
      code: 'insufficient_permissions',
    })
    expect((await reader.models.list()).data).toHaveLength(2)
  })
})
