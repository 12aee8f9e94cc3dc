import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forgetPeak, memoryOf } from '../../bench/support/memory.ts'
import { type ModelServer, startModelServer } from '../support/model-server-process.ts'
import { until } from '../support/until.ts'
import { startGateway, type TestGateway, TOKENS } from './support/gateway.ts'

const MiB = 1024 * 1024
const TOKEN_BYTES = 100_000
/** Of 100,000 bytes each. */
const MANY_TOKENS = 1050

let paced: ModelServer
let fast: ModelServer
let gateway: TestGateway
beforeAll(async () => {
  paced = await startModelServer('--served-model-name', 'paced', '--tokens-per-second', '20')
  fast = await startModelServer('--served-model-name', 'fast')
  gateway = await startGateway()
  gateway.directory.serve('paced', paced.url)
  gateway.directory.serve('fast', fast.url)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await Promise.all([paced, fast].map((server) => server[Symbol.asyncDispose]()))
})

const chat = (model: string) => ({ model, messages: [{ role: 'user' as const, content: 'all aboard' }] })
const flood = {
  ...chat('fast'),
  stream: true,
  max_tokens: MANY_TOKENS,
  metadata: { token_bytes: TOKEN_BYTES },
}

/** Asks for a stream, and reads nothing of it. */
async function askWithoutReading(
  url: string,
  body: object,
): Promise<{ sent: ClientRequest; answer: IncomingMessage }> {
  const sent = request(`${url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${TOKENS.RUN}` },
  })
  sent.end(JSON.stringify(body))
  const [answer] = await once(sent, 'response')
  return { sent, answer }
}

async function bytesOf(answer: IncomingMessage): Promise<number> {
  let bytes = 0
  for await (const chunk of answer) bytes += chunk.length
  return bytes
}

describe('a stream', () => {
  test('comes token by token, not at its end', async () => {
    const stream = await gateway.client.chat.completions.create({
      ...chat('paced'),
      max_tokens: 5,
      stream: true,
    })
    const openWhenItCame: number[] = []
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) {
        const { begun, finished } = await paced.counts()
        openWhenItCame.push(begun - finished)
      }
    }

    // The last one may come together with the end.
    expect(openWhenItCame.slice(0, 4)).toEqual([1, 1, 1, 1])
  })

  test('stops the work of the model when its client leaves', async () => {
    const { aborted } = await paced.counts()
    const stream = await gateway.client.chat.completions.create({
      ...chat('paced'),
      max_tokens: 10_000,
      stream: true,
    })
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break // which closes the connection
    }

    await until('the model server is rid of it', async () => (await paced.counts()).aborted === aborted + 1)
    await until('the deployment is released', () => gateway.directory.held() === 0)
    expect(gateway.directory.records.at(-1)).toMatchObject({
      status: 499,
      completionTokens: null,
      timeToFirstTokenMs: expect.any(Number),
      error: 'The client left before the end.',
    })
  })

  test('stops it also when there is no first token yet', async () => {
    await using slow = await startModelServer('--served-model-name', 'slow', '--first-token-ms', '600000')
    gateway.directory.serve('slow', slow.url)
    const leaving = new AbortController()
    const answer = gateway.post('/v1/chat/completions', chat('slow'), { signal: leaving.signal })
    await until('the model server has it', async () => (await slow.counts()).begun === 1)

    leaving.abort()

    await expect(answer).rejects.toThrow()
    await until('the model server is rid of it', async () => (await slow.counts()).aborted === 1)
    await until('it is counted', () => gateway.directory.records.at(-1)?.status === 499)
  })

  test('that nobody reads holds up the model server, and nobody else', async () => {
    const { begun, finished } = await fast.counts()
    const { sent, answer } = await askWithoutReading(gateway.url, flood)

    const others = await Promise.all(
      Array.from({ length: 20 }, () => gateway.client.chat.completions.create(chat('fast'))),
    )

    expect(others.map(({ choices }) => choices[0]?.message.content)).toEqual(Array(20).fill('all aboard'))
    // All but the one, of which most still lies at the model server.
    expect(await fast.counts()).toMatchObject({ begun: begun + 21, finished: finished + 20 })
    expect(await bytesOf(answer)).toBeGreaterThan(MANY_TOKENS * TOKEN_BYTES)
    sent.destroy()
  })

  test('of 100 MB takes no more memory than a small one, whether it is read or not', async () => {
    const { program, url, pid } = await startGatewayProcess(`fast=${fast.url}`)
    try {
      await bytesOf((await askWithoutReading(url, flood)).answer)
      const { resident } = memoryOf(pid)
      forgetPeak(pid)

      const waiting = await Promise.all(Array.from({ length: 5 }, () => askWithoutReading(url, flood)))
      await bytesOf((await askWithoutReading(url, flood)).answer)

      expect(memoryOf(pid).peak - resident).toBeLessThan(60 * MiB)
      for (const { sent } of waiting) sent.destroy()
    } finally {
      program.kill()
    }
  })
})

async function startGatewayProcess(
  model: string,
): Promise<{ program: ChildProcess; url: string; pid: number }> {
  const program = fork(join(import.meta.dirname, 'support/gateway-process.ts'), [model])
  const [url] = await once(program, 'message')
  return { program, url, pid: program.pid ?? 0 }
}
