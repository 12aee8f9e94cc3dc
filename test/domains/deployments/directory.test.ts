import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import type { UserPrincipal } from '../../../src/domains/accounts/principal.ts'
import { OWN_NODE_ID, updateOwnNode } from '../../../src/domains/compute-nodes/own-node.ts'
import { announceNode } from '../../../src/domains/compute-nodes/topics.ts'
import { createDeployments, type Deployments } from '../../../src/domains/deployments/deployments.ts'
import { createProjectAccess } from '../../../src/domains/projects/access.ts'
import { NotFoundError, UnavailableError } from '../../../src/errors.ts'
import { createLocalExecutor } from '../../../src/execution/local/local-executor.ts'
import type { RequestUsage } from '../../../src/gateway/model-directory.ts'
import { newId } from '../../../src/ids.ts'
import { newEncryptionKey } from '../../../src/secrets/encryption-key.ts'
import { createSealer } from '../../../src/secrets/sealer.ts'
import { createSignals } from '../../../src/streams/signals.ts'
import { isRunning } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { TEST_ENGINE } from './support/deployments.ts'

const signals = createSignals()
let folder: string
let database: Database
let serving: Deployments
let admin: UserPrincipal
let stranger: UserPrincipal
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  await mkdir(join(folder, 'models', 'tiny'), { recursive: true })
  await writeFile(join(folder, 'models', 'tiny', 'model.safetensors'), 'weights')
  database = await openDatabase(join(folder, 'trainyard.db'))
  await updateOwnNode(database, { hostname: 'here', hardware: {}, maxRuns: 1, version: '1.0.0' })
  serving = createDeployments({
    database,
    signals,
    executor: createLocalExecutor(),
    access: createProjectAccess({ database }),
    sealer: createSealer([newEncryptionKey()]),
    log: pino({ level: 'silent' }),
    environment: { PATH: process.env.PATH ?? '' },
    runsDir: join(folder, 'runs'),
    deploymentsDir: join(folder, 'deployments'),
    modelRoots: [join(folder, 'models')],
    allowHubModels: false,
    trustRemoteCode: false,
    deploymentHost: '127.0.0.1',
    deploymentPorts: { first: 18_350, last: 18_399 },
    deploymentStartSeconds: 20,
    deploymentStopSeconds: 5,
    deploymentMaxRestarts: 3,
    ownPort: () => null,
    latestGpus: () => null,
    leases: { isOver: () => false },
  })
  await serving.start()
  admin = await givenUser('ADMIN')
  stranger = await givenUser('MEMBER')
  await serving.services.engines.create(admin, TEST_ENGINE)
})
afterAll(async () => {
  const all = await database.prisma.deployment.findMany()
  for (const { id } of all) await serving.services.deployments.delete(admin, { deploymentId: id })
  await serving.stop()
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

async function givenUser(role: 'ADMIN' | 'MEMBER'): Promise<UserPrincipal> {
  const id = newId('User')
  await database.transaction((tx) =>
    tx.user.create({
      data: { id, username: id, role, passwordHash: '', preferences: {}, createdAt: new Date() },
    }),
  )
  return {
    kind: 'user',
    userId: id,
    username: id,
    role,
    scopes: role === 'ADMIN' ? ['ADMIN'] : ['RUN'],
    mustChangePassword: false,
    credential: { kind: 'session', id: 'ses' },
    origin: { address: null, userAgent: null },
    expiresAt: null,
  }
}

const find = (id: string) => database.prisma.deployment.findUniqueOrThrow({ where: { id } })

async function reaches(id: string, status: string) {
  await until(`${status}`, async () => (await find(id)).status === status)
}

async function givenRunning(input: object): Promise<string> {
  const request = { modelPath: 'tiny', engine: TEST_ENGINE.name, ...input }
  const { id } = await serving.services.deployments.create(admin, request)
  await reaches(id, 'RUNNING')
  return id
}

const never = () => new AbortController().signal

/** Asks for a model and lets go of it at once. */
async function ask(name: string, principal = stranger) {
  const upstream = await serving.directory.acquire(principal, name, never())
  upstream.release()
  return upstream
}

const USAGE: RequestUsage = {
  status: 200,
  promptTokens: 10,
  completionTokens: 20,
  timeToFirstTokenMs: 100,
  durationMs: 500,
  error: null,
}

test('deployments of one name are used in turn, and listed with their maker', async () => {
  const ids = [await givenRunning({ name: 'shared' }), await givenRunning({ name: 'shared' })]

  const used = [await ask('shared'), await ask('shared'), await ask('shared'), await ask('shared')]

  expect(used.map(({ deploymentId }) => deploymentId).toSorted()).toEqual([...ids, ...ids].toSorted())
  expect(new Set(used.map(({ url }) => url)).size).toBe(2)
  const listed = await serving.directory.list(stranger)
  expect(listed.filter(({ name }) => name === 'shared')).toHaveLength(2)
  expect(listed[0]?.ownedBy).toBe(admin.username)
})

test('what is on a node that is not heard of is left out at once, before anything is written down of it', async () => {
  const id = await givenRunning({ name: 'near' })
  const hear = async (isOnline: boolean) => {
    await database.transaction((tx) =>
      tx.computeNode.update({ where: { id: OWN_NODE_ID }, data: { isOnline } }),
    )
    announceNode(signals, OWN_NODE_ID)
  }
  const names = async () => (await serving.directory.list(stranger)).map(({ name }) => name)
  expect(await names()).toContain('near')

  await hear(false)
  expect(await names()).not.toContain('near')
  await hear(true)
  await reaches(id, 'RUNNING')
  await until('it to be there again', async () => (await names()).includes('near'))
})

test('a name that nobody serves is not found; one that is not healthy is not available', async () => {
  await expect(ask('nothing')).rejects.toBeInstanceOf(NotFoundError)
  const { id } = await serving.services.deployments.create(admin, {
    modelPath: 'tiny',
    engine: TEST_ENGINE.name,
    name: 'slow',
    extraArgs: ['--ready-after', '3'],
  })
  await expect(ask('slow')).rejects.toBeInstanceOf(UnavailableError)
  await reaches(id, 'RUNNING')
  expect((await ask('slow')).deploymentId).toBe(id)
})

test('what is in a private project is not there for others', async () => {
  const project = await database.transaction((tx) =>
    tx.project.create({
      data: {
        id: newId('Project'),
        name: 'private',
        visibility: 'PRIVATE',
        defaultHyperparameters: {},
        command: [],
        resumeArgs: [],
        status: 'ACTIVE',
        ownerId: admin.userId,
        createdAt: new Date(),
        updatedAt: new Date(),
      },
    }),
  )
  const id = await givenRunning({ name: 'secret', project: 'private' })

  expect((await ask('secret', admin)).deploymentId).toBe(id)
  await expect(ask('secret')).rejects.toBeInstanceOf(NotFoundError)
  expect((await serving.directory.list(stranger)).map(({ name }) => name)).not.toContain('secret')

  await database.transaction((tx) =>
    tx.projectMember.create({
      data: {
        id: newId('ProjectMember'),
        projectId: project.id,
        userId: stranger.userId,
        role: 'VIEWER',
        createdAt: new Date(),
      },
    }),
  )
  await until('the new member to see it', () => ask('secret').then(Boolean, () => false))
})

test('one that nobody uses is unloaded, and requests that come then wait until it is loaded again', async () => {
  const id = await givenRunning({ name: 'idle', idleUnloadSeconds: 2 })
  const held = await serving.directory.acquire(stranger, 'idle', never())
  const { pid } = await database.prisma.modelServer.findFirstOrThrow({ where: { deploymentId: id } })
  held.release()

  await reaches(id, 'STOPPED')
  expect(await find(id)).toMatchObject({ unloaded: true, statusReason: expect.stringContaining('Unloaded') })
  expect(isRunning(Number(pid))).toBe(false)
  expect((await serving.directory.list(stranger)).map(({ name }) => name)).toContain('idle')

  const leaving = new AbortController()
  const left = serving.directory.acquire(stranger, 'idle', leaving.signal)
  leaving.abort(new Error('The client has left.'))
  await expect(left).rejects.toThrow('The client has left.')
  const answers = await Promise.all([ask('idle'), ask('idle'), ask('idle')])

  expect(new Set(answers.map(({ url }) => url)).size).toBe(1)
  expect((await fetch(`${answers[0]?.url}/v1/models`)).status).toBe(200)
  expect(await find(id)).toMatchObject({ status: 'RUNNING', unloaded: false })
})

test('one that is stopped by somebody is not loaded by a request', async () => {
  const id = await givenRunning({ name: 'stopped', idleUnloadSeconds: 1 })
  await reaches(id, 'STOPPED')
  await serving.services.deployments.stop(admin, { deploymentId: id })

  await expect(ask('stopped')).rejects.toBeInstanceOf(UnavailableError)
  expect(await find(id)).toMatchObject({ unloaded: false, status: 'STOPPED' })
})

test('requests are counted by deployment, and added up for a chart', async () => {
  const id = await givenRunning({ name: 'counted' })

  serving.directory.record(id, USAGE)
  serving.directory.record(id, { ...USAGE, timeToFirstTokenMs: 300, durationMs: 700 })
  serving.directory.record(id, {
    ...USAGE,
    status: 502,
    promptTokens: null,
    completionTokens: null,
    timeToFirstTokenMs: null,
    durationMs: 30,
    error: 'it broke',
  })
  serving.directory.record(id, { ...USAGE, status: 499, timeToFirstTokenMs: null, durationMs: 10 })

  const buckets = await serving.services.deploymentRecords.usage({ id }, { maxPoints: 1 })
  expect(buckets).toEqual([
    expect.objectContaining({
      requests: 4,
      errors: 1,
      promptTokens: 30,
      completionTokens: 60,
      meanTimeToFirstTokenMs: 200,
      slowestTimeToFirstTokenMs: 300,
      meanDurationMs: 310,
    }),
  ])
  expect((await find(id)).lastRequestAt).not.toBeNull()
})
