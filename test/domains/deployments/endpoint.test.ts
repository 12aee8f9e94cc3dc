import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  AccountCreateApiTokenDocument,
  DeploymentStopDocument,
  DeploymentUpdateDocument,
  DeploymentUsageDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { expected, givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
let member: Person
let openai: OpenAI
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_450, last: 18_499 } })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  member = await givenPerson(app)
  openai = await clientOf(member)
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  await member.api.close()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

/** OpenAI's own client, with a token of somebody's. */
async function clientOf({ api }: Pick<Person, 'api'>): Promise<OpenAI> {
  const { createApiToken } = await api.send(AccountCreateApiTokenDocument, {
    input: { name: 'openai', scopes: ['RUN'] },
  })
  const apiKey = expected(createApiToken, 'ApiToken').token ?? ''
  return new OpenAI({ baseURL: `${app.url}/v1`, apiKey, maxRetries: 0 })
}

const names = async (client: OpenAI) => (await client.models.list()).data.map(({ id }) => id)

const say = (model: string, content: string) => ({ model, messages: [{ role: 'user' as const, content }] })

const chat = async (model: string) =>
  (await openai.chat.completions.create(say(model, 'hello there'))).choices[0]?.message.content

test('a deployment is asked by its name through Trainyard, and what is asked is counted', async () => {
  const { id } = await given.running({ name: 'org/tiny' })

  expect(await names(openai)).toEqual(['org/tiny'])
  expect(await chat('org/tiny')).toBe('hello there')
  const stream = await openai.chat.completions.create({ ...say('org/tiny', 'one two'), stream: true })
  let said = ''
  for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? ''
  expect(said).toBe('one two')
  await expect(chat('nobody')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })

  const [bucket] = await until('the requests to be counted', async () => {
    const { deployment } = await app.api.send(DeploymentUsageDocument, { id, maxPoints: 1 })
    return deployment?.usage[0]?.requests === 2 && deployment.usage
  })
  expect(bucket).toMatchObject({ errors: 0 })
  expect(bucket?.promptTokens).toBeGreaterThan(0)
  expect(bucket?.completionTokens).toBeGreaterThan(0)
  expect(bucket?.meanTimeToFirstTokenMs).toBeGreaterThan(0)
})

test('a change of the model loses no request', async () => {
  const { id, pid } = await given.running({ name: 'steady' })
  let asked = 0
  let isOver = false
  const asking = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!isOver) {
        expect(await chat('steady')).toBe('hello there')
        asked++
      }
    }),
  )

  await app.api.send(DeploymentUpdateDocument, { input: { deploymentId: id, extraArgs: ['--seed', '1'] } })
  await given.when(id, 'changed', (it) => it.pid !== pid && it.healthy)
  const before = asked
  await until('some more requests', () => asked > before + 20)
  isOver = true

  await asking
})

test('one that is stopped answers 503, and one that was unloaded answers when it is loaded again', async () => {
  const { id } = await given.running({ name: 'sleepy', idleUnloadSeconds: 1 })
  await given.reaches(id, 'STOPPED')

  expect(await names(openai)).toEqual(['sleepy'])
  expect(await chat('sleepy')).toBe('hello there')

  await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  await expect(chat('sleepy')).rejects.toMatchObject({ status: 503 })
})

test('a model in a private project is not there for those who may not see it', async () => {
  const project = await seed(app.api).project()
  await given.running({ name: 'private', project })

  expect(await names(openai)).toEqual([])
  await expect(chat('private')).rejects.toMatchObject({ status: 404 })
  expect(await names(await clientOf(app))).toEqual(['private'])
})
