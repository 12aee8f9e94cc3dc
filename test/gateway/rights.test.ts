import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenAI } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AccountCreateApiTokenDocument,
  AccountRevokeApiTokenDocument,
} from '../../src/generated/operations.ts'
import { givenDeployments, givenEngine } from '../domains/deployments/support/deployments.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expected } from '../support/people.ts'
import { until } from '../support/until.ts'

/** So many tokens take longer than any test. */
const question = {
  model: 'endless',
  messages: [{ role: 'user' as const, content: 'round and round' }],
  max_tokens: 1_000_000,
}

let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
let url: string
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_800, last: 18_849 } })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  const { port } = await given.running({ name: 'endless', extraArgs: ['--tokens-per-second', '20'] })
  url = `http://127.0.0.1:${port}`
})
afterAll(async () => {
  await given.deleteAll()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

/** An API token, and the official client that uses it. */
async function givenToken(name: string) {
  const { createApiToken } = await app.api.send(AccountCreateApiTokenDocument, {
    input: { name, scopes: ['RUN'] },
  })
  const { id, token } = expected(createApiToken, 'ApiToken')
  return { id, client: new OpenAI({ baseURL: `${app.url}/v1`, apiKey: token ?? '', maxRetries: 0 }) }
}

/** A stream of somebody's without end. @returns what has come so far, and how it ends */
async function givenStream(client: OpenAI) {
  const stream = await client.chat.completions.create({ ...question, stream: true })
  const seen = { tokens: 0, stop: () => stream.controller.abort() }
  const ending = (async () => {
    for await (const _chunk of stream) seen.tokens++
  })().then(
    () => null,
    (error: unknown) => error,
  )
  await until('the first tokens', () => seen.tokens > 2)
  return { seen, ending }
}

/** What has become of the requests to the model. */
const counts = async (): Promise<{ begun: number; aborted: number }> => (await fetch(`${url}/counts`)).json()

test('a stream ends with an error when its token is revoked, and those of others go on', async () => {
  const revoked = await givenToken('revoked')
  const kept = await givenToken('kept')
  const [theirs, others] = [await givenStream(revoked.client), await givenStream(kept.client)]

  await app.api.send(AccountRevokeApiTokenDocument, { input: { tokenId: revoked.id } })

  expect(await theirs.ending).toMatchObject({ code: 'invalid_api_key' })
  await until('the model server is rid of it', async () => (await counts()).aborted === 1)
  const { tokens } = others.seen
  await until('the other stream to go on', () => others.seen.tokens > tokens)
  others.seen.stop()
  await others.ending
})

test('a request that still waits for its answer is refused when its token is revoked', async () => {
  const { id, client } = await givenToken('waiting')
  const { begun } = await counts()
  const refused = expect(client.chat.completions.create(question)).rejects.toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  })
  await until('the model server to have it', async () => (await counts()).begun > begun)

  await app.api.send(AccountRevokeApiTokenDocument, { input: { tokenId: id } })

  await refused
})
