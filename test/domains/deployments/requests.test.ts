import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  AccessSetMemberDocument,
  type CreateDeploymentInput,
  DeploymentCreateDocument,
  DeploymentDeleteDocument,
  DeploymentListDocument,
  DeploymentNodeDocument,
  DeploymentStopDocument,
  DeploymentsOfProjectDocument,
  DeploymentUpdateDocument,
  RunsDeleteProjectDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { ApiClient } from '../../support/client.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { givenDeployments, givenEngine, TEST_ENGINE } from './support/deployments.ts'

let app: TestApp
let models: string
let elsewhere: string
let given: ReturnType<typeof givenDeployments>
let member: Person
let other: Person
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  elsewhere = await mkdtemp(join(tmpdir(), 'trainyard-elsewhere-'))
  await mkdir(join(elsewhere, 'private'))
  await symlink(join(elsewhere, 'private'), join(models, 'way-out'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_200, last: 18_249 } })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  member = await givenPerson(app)
  other = await givenPerson(app)
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  for (const { api } of [member, other]) await api.close()
  await app.stop()
  for (const folder of [models, elsewhere]) await rm(folder, { recursive: true, force: true })
})

async function request(input: CreateDeploymentInput, api: ApiClient = app.api) {
  const answer = await api.send(DeploymentCreateDocument, { input: { engine: TEST_ENGINE.name, ...input } })
  return answer.createDeployment
}

/** The messages of the issues that a request with these arguments has. */
async function refusalsOf(...extraArgs: string[]): Promise<string[]> {
  const answer = await request({ modelPath: 'tiny', extraArgs })
  return answer.__typename === 'ValidationError' ? answer.issues.map(({ message }) => message) : []
}

test.each([
  [['--host', '0.0.0.0'], '--host'],
  [['--host=0.0.0.0'], '--host'],
  [['--ho=0.0.0.0'], '--ho, which engines take for --host,'],
  [['--port', '1'], '--port'],
  [['--api-key', 'x'], '--api-key'],
  [['--api_key=x'], '--api_key'],
  [['--API-KEY', 'x'], '--API-KEY'],
  [['--served-model-name', 'x'], '--served-model-name'],
  [['--served_model_n=x'], '--served_model_n'],
  [['--trust-remote-code'], '--trust-remote-code'],
  [['--trust_remote_code=true'], '--trust_remote_code'],
  [['--trust'], '--trust'],
  [['--model', 'x'], '--model'],
  [['-m', 'x'], '-m'],
  [['--config', 'x.yaml'], '--config'],
  [['--middleware', 'os.system'], '--middleware'],
  [['--uds', '/tmp/x'], '--uds'],
  [['--chat-template', '/etc/passwd'], '--chat-template'],
  [['-md', '/elsewhere.gguf'], '-md'],
])('the arguments %j are refused by name', async (extraArgs, named) => {
  const [refusal] = await refusalsOf(...extraArgs)
  expect(refusal).toMatch(new RegExp(`^${named.replace(/[.*+?]/g, '\\$&')}.* is not allowed: `))
})

test('each argument that is refused has its own issue; others pass', async () => {
  const answer = await request({ modelPath: 'tiny', extraArgs: ['--seed', '1', '--port=1', '--host', 'x'] })
  if (answer.__typename !== 'ValidationError') throw new Error(answer.__typename)
  expect(answer.issues.map(({ path }) => path.join('.'))).toEqual(['extraArgs.2', 'extraArgs.3'])
  expect(
    await refusalsOf(
      '--max-model-len',
      '4096',
      '--chat-template-content-format=auto',
      '--reasoning-parser',
      'qwen3',
      '-tp',
      '2',
      '--dtype=auto',
      '-1',
    ),
  ).toEqual([])
})

test('a served name that an engine would take for an argument is refused', async () => {
  expect(await request({ modelPath: 'tiny', name: '--host=0.0.0.0' })).toMatchObject({
    __typename: 'ValidationError',
    issues: [{ path: ['name'] }],
  })
})

test('a model lies under a configured folder, links and all', async () => {
  for (const modelPath of [
    '/etc/passwd',
    join(elsewhere, 'private'),
    '/not/there',
    'way-out',
    join(models, 'way-out'),
    '../private',
    `${models}/../etc`,
    models,
    'missing',
    'org/model',
    'tiny\0',
  ]) {
    const answer = await request({ modelPath })
    expect(answer, modelPath).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['modelPath'] }],
    })
  }
  const { message: inside } = Object(await request({ modelPath: '/etc/passwd' }))
  const { message: nowhere } = Object(await request({ modelPath: '/not/there' }))
  expect(inside).toBe(nowhere)

  expect(await given.deployment({ modelPath: join(models, 'tiny') })).toMatchObject({
    modelPath: join(models, 'tiny'),
    name: 'tiny',
  })
})

test('either a path or an artifact, and not both', async () => {
  expect(await request({})).toMatchObject({ __typename: 'ValidationError' })
  expect(await request({ modelPath: 'tiny', artifactId: 'art_x' })).toMatchObject({
    __typename: 'ValidationError',
  })
})

test('an engine that is not there is named, with how to install it', async () => {
  expect(await request({ modelPath: 'tiny', engine: 'vllm' })).toMatchObject({
    __typename: 'UnavailableError',
    message: expect.stringContaining('pip install vllm'),
  })
  expect(await request({ modelPath: 'tiny', engine: 'nonsense' })).toMatchObject({
    __typename: 'ValidationError',
    issues: [{ path: ['engine'] }],
  })
})

test('GPUs that the machine does not have are not available', async () => {
  expect(await request({ modelPath: 'tiny', gpuCount: 1000 })).toMatchObject({
    __typename: 'ValidationError',
  })
  const answer = await request({ modelPath: 'tiny', gpuCount: 64 })
  expect(answer).toMatchObject({ __typename: 'UnavailableError' })
})

test('a checkpoint of a run is deployed in its project', async () => {
  const made = seed(app.api)
  const script = `
    const fs = require('node:fs'), path = require('node:path')
    const folder = path.join(process.env.TRAINYARD_OUTPUT_DIR, 'checkpoint-7')
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'model.safetensors'), 'weights')`
  const project = await made.project({ script })
  const run = await made.run({ project })
  await made.end(run)
  const [artifact] = (await made.state(run)).artifacts.edges
  const artifactId = artifact?.node.id ?? ''

  const deployment = await given.running({ artifactId })

  expect(deployment).toMatchObject({ name: `${project}/run-001/checkpoint-7`, modelVersion: 'checkpoint-7' })
  expect(deployment.command).toContain(join('runs', run, 'output', 'checkpoint-7'))
  const { deleteProject } = await app.api.send(RunsDeleteProjectDocument, { input: { ref: project } })
  expect(deleteProject).toMatchObject({
    __typename: 'ConflictError',
    message: expect.stringContaining('delete them first'),
  })
  // The project is private: for others neither it nor the artifact is there.
  expect(await request({ artifactId }, other.api)).toMatchObject({ __typename: 'NotFoundError' })
  await expectUnseen(other, deployment.id)
})

test('lists are filtered by model, tag and status', async () => {
  await mkdir(join(models, 'large'), { recursive: true })
  await writeFile(join(models, 'large', 'model.safetensors'), 'weights')
  const tiny = await given.deployment({ name: 'chat', tags: ['prod', 'eu'] })
  const large = await given.running({ modelPath: 'large', tags: ['prod'], extraArgs: ['--ready-after', '0'] })
  await app.api.send(DeploymentStopDocument, { input: { deploymentId: large.id, force: true } })
  const idsOf = async (filter: object) => {
    const { deployments } = await app.api.send(DeploymentListDocument, { filter })
    expect(deployments.totalCount).toBe(deployments.edges.length)
    return deployments.edges.map(({ node }) => node.id)
  }

  expect(await idsOf({})).toEqual([large.id, tiny.id])
  expect(await idsOf({ model: 'LARG' })).toEqual([large.id])
  expect(await idsOf({ model: 'hat' })).toEqual([tiny.id])
  expect(await idsOf({ tag: 'prod' })).toEqual([large.id, tiny.id])
  expect(await idsOf({ tag: 'eu' })).toEqual([tiny.id])
  expect(await idsOf({ tag: 'e' })).toEqual([])
  expect(await idsOf({ status: 'STOPPED' })).toEqual([large.id])
  expect(await idsOf({ model: 'tiny', tag: 'prod', status: 'FAILED' })).toEqual([])
})

test('a project lists what is deployed in it, the latest first', async () => {
  const made = seed(app.api)
  const ref = await made.project({ name: 'deploys' })
  const foreign = await made.project({ name: 'deploys-too' })
  await given.deployment({ name: 'first', project: ref, tags: ['prod'] })
  await given.deployment({ name: 'second', project: ref })
  await given.deployment({ name: 'elsewhere', project: foreign })
  const listed = async (variables: { filter?: object; first?: number }) => {
    const { project } = await app.api.send(DeploymentsOfProjectDocument, { ref, ...variables })
    return project?.deployments
  }

  expect(await listed({})).toMatchObject({
    totalCount: 2,
    edges: [{ node: { name: 'second' } }, { node: { name: 'first' } }],
  })
  expect(await listed({ filter: { tag: 'prod' } })).toMatchObject({
    totalCount: 1,
    edges: [{ node: { name: 'first' } }],
  })
  expect(await listed({ first: 1 })).toMatchObject({
    edges: [{ node: { name: 'second' } }],
    pageInfo: { hasNextPage: true },
  })
})

test('without a project everybody signed in sees a deployment; its maker and administrators change it', async () => {
  const made = await request({ modelPath: 'tiny' }, member.api)
  if (made.__typename !== 'Deployment') throw new Error(made.message)
  const { id } = made
  const input = { deploymentId: id }

  expect(made).toMatchObject({ canEdit: true, canDelete: true, canStop: true })
  expect(await givenDeployments(other.api).state(id)).toMatchObject({
    canEdit: false,
    canDelete: false,
    canStop: false,
  })
  const refused = [
    await other.api.ask(DeploymentStopDocument, { input }),
    await other.api.ask(DeploymentDeleteDocument, { input }),
    await other.api.ask(DeploymentUpdateDocument, { input: { ...input, tags: ['mine'] } }),
  ]
  for (const { errors } of refused) expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN')
  const { updateDeployment } = await app.api.send(DeploymentUpdateDocument, {
    input: { ...input, tags: ['theirs'] },
  })
  expect(updateDeployment).toMatchObject({ tags: ['theirs'] })
})

test('in a project members see a deployment, editors change it, and for others it is not there', async () => {
  const project = await seed(member.api).project({ name: 'served' })
  const made = await request({ modelPath: 'tiny', project }, member.api)
  if (made.__typename !== 'Deployment') throw new Error(made.message)
  const input = { deploymentId: made.id }

  await expectUnseen(other, made.id)
  expect(await request({ modelPath: 'tiny', project }, other.api)).toMatchObject({
    __typename: 'NotFoundError',
  })

  const asMember = { project, user: other.username }
  await member.api.send(AccessSetMemberDocument, { input: { ...asMember, role: 'VIEWER' } })
  expect(await givenDeployments(other.api).state(made.id)).toMatchObject({ canEdit: false })
  const { errors } = await other.api.ask(DeploymentStopDocument, { input })
  expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN')

  await member.api.send(AccessSetMemberDocument, { input: { ...asMember, role: 'EDITOR' } })
  expect(await givenDeployments(other.api).state(made.id)).toMatchObject({ canEdit: true, canStop: true })
  const { stopDeployment } = await other.api.send(DeploymentStopDocument, { input })
  expect(stopDeployment).toMatchObject({ status: 'STOPPED' })
})

/** For somebody who may not see it, a deployment is not there in any way. */
async function expectUnseen({ api }: Person, id: string): Promise<void> {
  const { deployments } = await api.send(DeploymentListDocument, {})
  expect(deployments.edges.map(({ node }) => node.id)).not.toContain(id)
  expect((await api.send(DeploymentNodeDocument, { id })).node).toBeNull()
  const { stopDeployment } = await api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  expect(stopDeployment.__typename).toBe('NotFoundError')
}
