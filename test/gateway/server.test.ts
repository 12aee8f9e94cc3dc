import { OpenAI } from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AccountCreateApiTokenDocument, type ApiTokenScope } from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expected } from '../support/people.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ rateLimitAnonymousRequests: 20 })
})
afterAll(() => app.stop())

/** The official client with a new API token. */
async function clientWith(scope: ApiTokenScope): Promise<OpenAI> {
  const input = { name: scope, scopes: [scope] }
  const { createApiToken } = await app.api.send(AccountCreateApiTokenDocument, { input })
  const apiKey = expected(createApiToken, 'ApiToken').token ?? ''
  return new OpenAI({ baseURL: `${app.url}/v1`, apiKey, maxRetries: 0 })
}

const question = { model: 'nobody', messages: [{ role: 'user' as const, content: 'hello' }] }

describe('the gateway of a server', () => {
  test('takes its API tokens, as far as their scopes go', async () => {
    const [reader, runner] = await Promise.all([clientWith('READ'), clientWith('RUN')])

    expect((await reader.models.list()).data).toEqual([])
    expect((await runner.models.list()).data).toEqual([])
    await expect(reader.chat.completions.create(question)).rejects.toMatchObject({
      status: 403,
      code: 'insufficient_permissions',
    })
    await expect(runner.chat.completions.create(question)).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })

  test('counts requests as the rest of the API does, and sends the same headers', async () => {
    const request = () => fetch(`${app.url}/v1/models`, { headers: { Authorization: 'Bearer garbage' } })
    const first = await request()
    const statuses = new Set<number>()
    for (let n = 0; n < 25; n++) statuses.add((await request()).status)
    const last = await request()

    expect(Object.fromEntries(first.headers)).toMatchObject({
      'ratelimit-limit': '20',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.any(String),
    })
    expect([...statuses]).toEqual([401, 429])
    expect(await last.json()).toMatchObject({ error: { code: 'rate_limit_exceeded', type: 'requests' } })
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})
