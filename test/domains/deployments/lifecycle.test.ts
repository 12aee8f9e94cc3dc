import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import {
  AccessRemoveMemberDocument,
  AccessSetMemberDocument,
  DeploymentCreateDocument,
  DeploymentStartDocument,
  DeploymentStopDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { givenPerson } from '../../support/people.ts'
import { isRunning } from '../../support/processes.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine, TEST_ENGINE } from './support/deployments.ts'

const PORTS = { first: 18_100, last: 18_149 }

let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({
    modelRoots: [models],
    deploymentPorts: PORTS,
    deploymentStartSeconds: 8,
    deploymentStopSeconds: 3,
  })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

/** What the database holds in reserve for model servers. */
async function reservations() {
  const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
  const ports = await database.prisma.modelServer.findMany({ select: { port: true } })
  const gpus = await database.prisma.gpuReservation.findMany()
  await database.close()
  return { ports: ports.map(({ port }) => port), gpus: gpus.map(({ gpu }) => gpu) }
}

test('a deployment is RUNNING only once it is healthy, and answers where it says', async () => {
  const made = await given.deployment({
    name: 'tiny-chat',
    extraArgs: ['--ready-after', '1'],
    modelVersion: 'v3',
    environment: 'staging',
    tags: ['first', 'second'],
  })
  expect(made).toMatchObject({ status: 'PENDING', healthy: false, gpuIds: [], pid: null })
  expect(made).toMatchObject({ modelVersion: 'v3', environment: 'staging', tags: ['first', 'second'] })

  const starting = await given.when(made.id, 'STARTING', ({ status }) => status === 'STARTING')
  expect(starting.healthy).toBe(false)
  const running = await given.reaches(made.id, 'RUNNING')
  expect(running).toMatchObject({
    healthy: true,
    restarts: 0,
    statusReason: null,
    canStop: true,
    canStart: false,
  })
  expect(running.endpoint).toBe(`http://127.0.0.1:${running.port}/v1`)
  expect(running.command).toContain(`--port ${running.port} --served-model-name tiny-chat --ready-after 1`)
  const answer = await fetch(`${running.endpoint}/models`)
  expect(await answer.json()).toMatchObject({ data: [{ id: 'tiny-chat' }] })
})

test('twenty deployments requested at once get twenty ports, and none is reserved when they are deleted', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => given.deployment()))
  expect(new Set(made.map(({ port }) => port)).size).toBe(20)
  expect((await reservations()).ports).toHaveLength(20)

  await Promise.all(made.map(({ id }) => given.delete(id)))

  expect(await reservations()).toEqual({ ports: [], gpus: [] })
})

test('a model server that is killed is started again, counted, and has a section of its own in the log', async () => {
  const { id, pid } = await given.running()

  process.kill(Number(pid), 'SIGKILL')
  const waiting = await given.when(id, 'restarted', ({ restarts }) => restarts === 1)
  expect(waiting.statusReason).toContain('SIGKILL')
  const again = await given.when(id, 'running again', (it) => it.status === 'RUNNING' && it.restarts === 1)

  expect(again.pid).not.toBe(pid)
  expect(isRunning(Number(again.pid))).toBe(true)
  const log = await given.log(id)
  const sections = log.filter(({ source, message }) => source === 'SYSTEM' && message.startsWith('Start '))
  expect(sections.map(({ message }) => message.slice(0, 7))).toEqual(['Start 1', 'Start 2'])
  const listens = log.filter(({ source, message }) => source === 'STDOUT' && message.includes('listens'))
  expect(listens).toHaveLength(2)
})

test('one that never gets healthy has failed in time, with the last lines of its log, and keeps nothing', async () => {
  const { id } = await given.deployment({ name: 'stubborn', extraArgs: ['--never-healthy'] })

  const failed = await given.reaches(id, 'FAILED')

  expect(failed.statusReason).toMatch(/did not become healthy within 8 s: \/health answered 503/)
  expect(failed.statusReason).toContain('Model server of stubborn listens')
  await until('its port to be free', async () => (await reservations()).ports.length === 0)
  expect(await given.state(id)).toMatchObject({ status: 'FAILED', port: null, pid: null, canStart: true })
})

test('one that crashes at every start is started again with growing delays, and then has failed', async () => {
  const { id } = await given.deployment({ extraArgs: ['--crash-after', '0'] })

  const failed = await given.reaches(id, 'FAILED')

  expect(failed.statusReason).toMatch(/exit code 1\. It crashed \d times in a row/)
  expect(failed.statusReason).toContain('it was told to')
  expect(failed.restarts).toBeGreaterThanOrEqual(2)
})

test('a port that a stranger takes between two starts is left to it', async () => {
  const { id, pid, port } = await given.running()
  const stranger = createServer()
  // Whoever listens first after the end has the port.
  process.kill(Number(pid), 'SIGKILL')
  await until('the stranger to have the port', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    stranger.once('error', () => resolve(false))
    stranger.once('listening', () => resolve(true))
    stranger.listen(Number(port), '127.0.0.1')
    return promise
  })

  const again = await given.when(id, 'running again', (it) => it.status === 'RUNNING' && it.restarts > 0)

  expect(again.port).not.toBe(port)
  expect(again.command).toContain(`--port ${again.port}`)
  expect((await fetch(`${again.endpoint}/models`)).status).toBe(200)
  stranger.close()
})

test('a port in use is skipped', async () => {
  const stranger = createServer().listen(PORTS.first, '127.0.0.1')
  const { port } = await given.running()
  expect(port).toBe(PORTS.first + 1)
  stranger.close()
})

test('a stop that SIGTERM does not do is a conflict; force kills', async () => {
  const { id, pid } = await given.running({ extraArgs: ['--ignore-sigterm'] })

  const refused = await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  expect(refused.stopDeployment).toMatchObject({ __typename: 'ConflictError' })
  expect(isRunning(Number(pid))).toBe(true)
  expect((await given.state(id)).status).toBe('STOPPING')

  const killed = await app.api.send(DeploymentStopDocument, { input: { deploymentId: id, force: true } })
  expect(killed.stopDeployment).toMatchObject({ status: 'STOPPED', pid: null, port: null, canStart: true })
  expect(isRunning(Number(pid))).toBe(false)
  expect(await reservations()).toEqual({ ports: [], gpus: [] })
})

test('one that was stopped starts again, with the same log', async () => {
  const { id } = await given.running()
  await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  const again = await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  expect(again.stopDeployment).toMatchObject({ __typename: 'ConflictError' })

  await app.api.send(DeploymentStartDocument, { input: { deploymentId: id } })
  await given.reaches(id, 'RUNNING')

  const starts = (await given.log(id)).filter(({ message }) => message.startsWith('Start '))
  expect(starts).toHaveLength(2)
})

test('an unhealthy one recovers', async () => {
  const { id, endpoint } = await given.running()
  const url = String(endpoint).replace('/v1', '')
  await fetch(`${url}/unhealthy`, { method: 'POST' })
  const unhealthy = await given.reaches(id, 'UNHEALTHY')
  expect(unhealthy).toMatchObject({
    healthy: false,
    statusReason: 'It is not healthy: /health answered 503.',
  })
  await fetch(`${url}/healthy`, { method: 'POST' })
  expect(await given.reaches(id, 'RUNNING')).toMatchObject({ statusReason: null })
})

test('the same idempotency key makes one deployment', async () => {
  const input = { modelPath: 'tiny', engine: TEST_ENGINE.name, idempotencyKey: 'once' }
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => app.api.send(DeploymentCreateDocument, { input })),
  )
  const ids = answers.map(({ createDeployment: made }) => made.__typename === 'Deployment' && made.id)
  expect(new Set(ids).size).toBe(1)
  expect((await reservations()).ports).toHaveLength(1)

  const other = { ...input, name: 'another' }
  const { createDeployment } = await app.api.send(DeploymentCreateDocument, { input: other })
  expect(createDeployment.__typename).toBe('ConflictError')
})

test('the same idempotency key gives nothing to those who may not see the deployment any more', async () => {
  const editor = await givenPerson(app)
  const project = await seed(app.api).project({ name: 'left-soon', command: ['true'] })
  const member = { project, user: editor.username }
  await app.api.send(AccessSetMemberDocument, { input: { ...member, role: 'EDITOR' } })
  const input = { modelPath: 'tiny', engine: TEST_ENGINE.name, idempotencyKey: 'left', project }
  const create = async () => (await editor.api.send(DeploymentCreateDocument, { input })).createDeployment

  expect(await create()).toMatchObject({ __typename: 'Deployment' })
  await app.api.send(AccessRemoveMemberDocument, { input: member })

  expect(await create()).toMatchObject({ __typename: 'NotFoundError' })
})
