import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  EngineCreateDocument,
  EngineDeleteDocument,
  EngineListDocument,
  EngineUpdateDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { givenDeployments, givenEngine, TEST_ENGINE } from './support/deployments.ts'

let app: TestApp
let models: string
let member: Person
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_400, last: 18_419 } })
  await givenEngine(app.api, models)
  member = await givenPerson(app)
})
afterAll(async () => {
  await givenDeployments(app.api).deleteAll()
  await member.api.close()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

const ENGINE = {
  name: 'own',
  command: ['bash', '-c', 'echo "$FLAVOUR"; exec sleep 60', '{model}', '{port}'],
  environment: { FLAVOUR: 'a secret flavour' },
}

async function refusalOf(input: object): Promise<unknown> {
  const answer = await app.api.send(EngineCreateDocument, { input: { ...ENGINE, name: 'x', ...input } })
  return answer.createEngine.__typename
}

test('the engines of the field are built in', async () => {
  const { engines } = await member.api.send(EngineListDocument, {})
  const builtIn = engines.filter((engine) => engine.isBuiltIn)
  expect(builtIn.map(({ name }) => name)).toEqual(['llama.cpp', 'sglang', 'transformers', 'vllm'])
  expect(builtIn.at(-1)?.command.slice(0, 3)).toEqual(['vllm', 'serve', '{model}'])
})

test('only administrators define engines, and only they see the values of the environment', async () => {
  const { errors } = await member.api.ask(EngineCreateDocument, { input: ENGINE })
  expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN')

  const { createEngine } = await app.api.send(EngineCreateDocument, { input: ENGINE })
  expect(createEngine).toMatchObject({ name: 'own', environment: ENGINE.environment })

  const seenBy = async ({ api }: Pick<Person, 'api'>) =>
    (await api.send(EngineListDocument, {})).engines.find(({ name }) => name === 'own')
  expect(await seenBy(app)).toMatchObject({ environment: ENGINE.environment })
  expect(await seenBy(member)).toMatchObject({ environment: null, environmentNames: ['FLAVOUR'] })
})

test('its environment reaches the model server, and no setting of the server does', async () => {
  const given = givenDeployments(app.api)
  const { id } = await given.deployment({ engine: 'own' })
  await given.when(id, 'started', ({ pid }) => pid !== null)
  const state = await given.state(id)
  const log = await given.log(id)
  expect(log.map(({ message }) => message)).toContain('a secret flavour')
  const environment = await readFile(`/proc/${state.pid}/environ`, 'utf8')
  const names = environment.split('\0').map((variable) => variable.split('=', 1)[0])
  expect(names).toEqual(expect.arrayContaining(['FLAVOUR', 'PATH', 'CUDA_VISIBLE_DEVICES']))
  expect(names.filter((name) => name?.startsWith('TRAINYARD_'))).toEqual(['TRAINYARD_MODEL_SERVER'])

  const { deleteEngine } = await app.api.send(EngineDeleteDocument, { input: { ref: 'own' } })
  expect(deleteEngine).toMatchObject({ __typename: 'ConflictError' })
  await given.delete(id)
  const again = await app.api.send(EngineDeleteDocument, { input: { ref: 'own' } })
  expect(again.deleteEngine).toMatchObject({ __typename: 'Engine' })
})

test('an engine is changed by name; a name is taken once', async () => {
  const { updateEngine } = await app.api.send(EngineUpdateDocument, {
    input: { ref: TEST_ENGINE.name, healthPath: '/v1/models' },
  })
  expect(updateEngine).toMatchObject({ healthPath: '/v1/models' })
  expect(await refusalOf({ name: TEST_ENGINE.name })).toBe('ConflictError')
})

test.each([
  ['without a program', { command: [] }],
  ['that nobody could reach', { command: ['serve', '{model}'] }],
  ['without a model', { command: ['serve', '{port}'] }],
  ['with a setting of the server', { environment: { TRAINYARD_DATA_DIR: '/tmp' } }],
  ['with a variable that is none', { environment: { 'A B': 'x' } }],
  ['with a number for a variable', { environment: { A: 1 } }],
  ['with an address for a path', { healthPath: 'http://example.org' }],
  ['with another address for a path', { healthPath: '//example.org/health' }],
])('an engine %s is refused', async (_, input) => {
  expect(await refusalOf(input)).toBe('ValidationError')
})
