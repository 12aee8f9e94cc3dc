import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  AccountCreateApiTokenDocument,
  type CreateDeploymentInput,
  DeploymentCreateDocument,
  DeploymentDeleteDocument,
  DeploymentListDocument,
  DeploymentStopDocument,
  DeploymentUpdateDocument,
  EngineCreateDocument,
  OperateComputeNodeDocument,
} from '../../../src/generated/operations.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from '../../agent/support/agent.ts'
import { writeNvidiaSmi } from '../../support/nvidia-smi.ts'
import { expected } from '../../support/people.ts'
import { isRunning } from '../../support/processes.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine, TEST_ENGINE } from './support/deployments.ts'

const FIRST_PORT = 18_900
/** Machines of these tests have addresses of their own, all of which are this one's. */
const ADDRESS = { gpu: '127.0.0.2', plain: '127.0.0.3' }

let server: ServerProcess
let models: string
let gpu: AgentProcess
let plain: AgentProcess
let given: ReturnType<typeof givenDeployments>
let openai: OpenAI
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  const gpus = await mkdtemp(join(models, 'program-'))
  await writeNvidiaSmi(gpus, [{ 'memory.total': 24_000, 'memory.used': 20_000 }, {}])
  server = await startServerProcess({
    // Where agents look for it again after it was killed.
    PORT: '18960',
    TRAINYARD_MODEL_ROOTS: models,
    TRAINYARD_DEPLOYMENT_PORTS: `${FIRST_PORT}-18949`,
    TRAINYARD_DEPLOYMENT_STOP_SECONDS: '5',
    TRAINYARD_NODE_LEASE_SECONDS: '2',
  })
  given = givenDeployments(server.api)
  await givenEngine(server.api, models)
  const { createApiToken } = await server.api.send(AccountCreateApiTokenDocument, {
    input: { name: 'openai', scopes: ['RUN'] },
  })
  const apiKey = expected(createApiToken, 'ApiToken').token ?? ''
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 })
  gpu = await givenAgent('gpu', ['--label', 'zone=eu'], { PATH: `${gpus}:${process.env.PATH}` })
  plain = await givenAgent('plain', ['--label', 'zone=us'])
})
afterEach(async () => {
  // What became of a test is no matter: what runs on a machine ends only when that is heard of.
  for (const agent of [gpu, plain]) if (!agent.runs()) await agent.start()
  await given.deleteAll()
})
afterAll(async () => {
  await gpu?.dispose()
  await plain?.dispose()
  await server.dispose()
  await rm(models, { recursive: true, force: true })
})

/** An agent, and so a compute node, that is at an address of its own. */
async function givenAgent(name: keyof typeof ADDRESS, args: string[], environment = {}) {
  const { token } = await agentTokenOf(server.api)
  const agent = await createAgentProcess({
    server: server.url,
    token,
    name,
    args: [...args, '--address', ADDRESS[name]],
    environment,
  })
  await agent.start()
  return agent
}

const chat = async (model: string) => {
  const messages = [{ role: 'user' as const, content: 'hello there' }]
  return (await openai.chat.completions.create({ model, messages })).choices[0]?.message.content
}
const names = async () => (await openai.models.list()).data.map(({ id }) => id)

async function refusalOf(input: CreateDeploymentInput): Promise<string> {
  const { createDeployment } = await server.api.send(DeploymentCreateDocument, {
    input: { modelPath: 'tiny', engine: TEST_ENGINE.name, ...input },
  })
  return expected(createDeployment, 'UnavailableError').message
}

const words = async (pid: unknown, what: 'cmdline' | 'environ') =>
  (await readFile(`/proc/${pid}/${what}`, 'utf8')).split('\0')

const isThere = (id: string) =>
  server.api
    .send(DeploymentListDocument, { first: 100 })
    .then(({ deployments }) => deployments.edges.some(({ node }) => node.id === id))

test('a model is brought to another machine, served from there, and asked through Trainyard', async () => {
  const deployment = await given.running({ name: 'far', placement: { node: 'gpu' } })

  const { id, pid, port } = deployment
  expect(deployment).toMatchObject({
    computeNode: { name: 'gpu' },
    placement: { node: { name: 'gpu' }, labels: [] },
    endpoint: `http://${ADDRESS.gpu}:${port}/v1`,
    // The other one is small, and nearly full.
    gpuIds: [1],
  })
  expect(await words(pid, 'environ')).toContain('CUDA_VISIBLE_DEVICES=1')
  const model = (await words(pid, 'cmdline')).find((word) => word.endsWith('/tiny')) ?? ''
  expect(model.startsWith(gpu.dataDir)).toBe(true)
  expect(await readFile(join(model, 'model.safetensors'), 'utf8')).toBe('weights')
  expect(await chat('far')).toBe('hello there')
  const said = async () => (await given.log(id)).map(({ message }) => message)
  await until('its log', async () =>
    (await said()).includes(`Model server of far listens on http://${ADDRESS.gpu}:${port}`),
  )

  await given.delete(id)
  expect(isRunning(Number(pid))).toBe(false)
  await until('the agent to have nothing of it', async () => (await gpu.executions()).length === 0)
  await expect(stat(join(server.dataDir, 'deployments', id))).rejects.toThrow('ENOENT')
})

test('labels choose the machine; one that is away, drained or unknown is refused, with what there is', async () => {
  const zone = (value: string) => ({ placement: { labels: [{ name: 'zone', value }] } })
  expect(await given.deployment(zone('us'))).toMatchObject({ computeNode: { name: 'plain' } })
  expect(await given.deployment(zone('eu'))).toMatchObject({ computeNode: { name: 'gpu' } })
  expect(await refusalOf(zone('mars'))).toMatch(/does not have the label zone=mars.*plain/)
  expect(await refusalOf({ ...zone('us'), gpuCount: 1 })).toContain('Compute node plain has no GPU')

  const { computeNode, id } = await given.running({ gpuCount: 0, placement: { node: 'plain' } })
  const operate = (operation: 'DRAIN' | 'START') =>
    server.api.send(OperateComputeNodeDocument, {
      input: { computeNodeId: computeNode?.id ?? '', operation },
    })
  await operate('DRAIN')
  expect(await refusalOf(zone('us'))).toContain('Compute node plain is DRAINING.')
  await operate('START')

  await plain.kill('SIGKILL')
  await given.reaches(id, 'UNHEALTHY')
  expect(await refusalOf({ placement: { node: 'plain' } })).toMatch(
    /^Compute node plain is OFFLINE. Compute nodes that take work now: .*gpu/,
  )
})

test('one GPU is never given twice, and a port that a stranger has on the machine is passed over', async () => {
  const stranger = createServer().listen(FIRST_PORT, ADDRESS.gpu)
  const placement = { node: 'gpu' }
  const made = await Promise.all([given.running({ placement }), given.running({ placement })])

  expect(made.flatMap(({ gpuIds }) => gpuIds).toSorted()).toEqual([0, 1])
  expect(made.map(({ port }) => port).toSorted()).toEqual([FIRST_PORT + 1, FIRST_PORT + 2])
  expect(await refusalOf({ placement })).toContain('Compute node gpu has no GPU free')
  stranger.close()
})

test('while a machine is not heard of its models serve nobody; then the same processes go on', async () => {
  const { id, pid } = await given.running({ name: 'loyal', placement: { node: 'plain' } })

  await plain.kill('SIGKILL')
  const away = await given.reaches(id, 'UNHEALTHY')
  expect(away.statusReason).toBe('It is not healthy: compute node plain is not heard of.')
  expect(await names()).not.toContain('loyal')
  await expect(chat('loyal')).rejects.toMatchObject({ status: 503 })
  expect(isRunning(Number(pid))).toBe(true)

  await plain.start()
  expect(await given.reaches(id, 'RUNNING')).toMatchObject({ pid, restarts: 0, statusReason: null })
  expect(await chat('loyal')).toBe('hello there')
  const messages = (await given.log(id)).map(({ message }) => message)
  expect(messages.filter((message) => message.startsWith('Start '))).toHaveLength(1)
  expect(messages.filter((message) => message.includes('listens'))).toHaveLength(1)
})

test('a server and an agent that are killed find what they had again', async () => {
  const ofBoth = await given.running({ name: 'steady', placement: { node: 'plain' } })
  const ofServer = await given.running({ name: 'calm', placement: { node: 'gpu' } })

  await server.kill('SIGKILL')
  await plain.kill('SIGKILL')
  await server.start()
  await plain.start()

  for (const { id, name, pid, port } of [ofBoth, ofServer]) {
    expect(await given.reaches(id, 'RUNNING')).toMatchObject({ pid, port, restarts: 0 })
    expect(await chat(name)).toBe('hello there')
    const log = await given.log(id)
    expect(log.filter(({ message }) => message.includes('listens'))).toHaveLength(1)
  }
  process.kill(Number(ofServer.pid), 'SIGKILL')
  await given.when(ofServer.id, 'started again', (it) => it.restarts === 1 && it.healthy)
})

test('one that crashes is started again on its machine, with its GPU', async () => {
  const { id, pid } = await given.running({ placement: { node: 'gpu' } })

  process.kill(Number(pid), 'SIGKILL')

  const again = await given.when(id, 'running again', (it) => it.restarts === 1 && it.healthy)
  expect(again).toMatchObject({ computeNode: { name: 'gpu' }, gpuIds: [1] })
  expect(again.pid).not.toBe(pid)
  await until('the agent to have the new one alone', async () => (await gpu.executions()).length === 1)
  expect(await readdir(join(server.dataDir, 'deployments', id))).toHaveLength(1)
})

test('what is stopped or deleted while its machine is away ends when that is back', async () => {
  const stopped = await given.running({ placement: { node: 'plain' } })
  const deleted = await given.running({ placement: { node: 'plain' } })
  await plain.kill('SIGKILL')
  await given.reaches(stopped.id, 'UNHEALTHY')
  await given.reaches(deleted.id, 'UNHEALTHY')

  const stop = await server.api.send(DeploymentStopDocument, { input: { deploymentId: stopped.id } })
  expect(expected(stop.stopDeployment, 'ConflictError').message).toContain('plain is not heard of')
  const deletion = await server.api.send(DeploymentDeleteDocument, { input: { deploymentId: deleted.id } })
  expect(expected(deletion.deleteDeployment, 'ConflictError').message).toContain('plain is not heard of')
  expect(await given.state(stopped.id)).toMatchObject({
    status: 'STOPPING',
    statusReason:
      'Stopped by admin. Compute node plain is not heard of: what runs there ends when that is back.',
    port: stopped.port,
  })
  expect(isRunning(Number(stopped.pid))).toBe(true)

  await plain.start()
  expect(await given.reaches(stopped.id, 'STOPPED')).toMatchObject({
    statusReason: 'Stopped by admin.',
    port: null,
  })
  await until('the other to be gone', async () => !(await isThere(deleted.id)))
  for (const { pid } of [stopped, deleted]) expect(isRunning(Number(pid))).toBe(false)
  await until('its folder to be gone', async () => {
    const left = await readdir(join(server.dataDir, 'deployments'))
    return !left.includes(deleted.id)
  })
})

test('one that is starting waits for its machine when that is not heard of, and says so', async () => {
  const { id } = await given.deployment({
    placement: { node: 'plain' },
    extraArgs: ['--ready-after', '1000'],
  })
  const { pid } = await given.reaches(id, 'STARTING')

  await plain.kill('SIGKILL')
  const { status } = await given.when(id, 'waiting', ({ statusReason }) =>
    Boolean(statusReason?.includes('plain is not heard of: it goes on when that is back.')),
  )
  expect(status).toBe('STARTING')
  await plain.start()
  expect(await given.when(id, 'going on', ({ statusReason }) => statusReason === null)).toMatchObject({
    status: 'STARTING',
    pid,
  })
})

test('a deployment moves to another machine and back without losing a request', async () => {
  const { id, pid } = await given.running({ name: 'nomad', gpuCount: 0 })
  let asked = 0
  let isOver = false
  const asking = Promise.all(
    [1, 2].map(async () => {
      while (!isOver) {
        expect(await chat('nomad')).toBe('hello there')
        asked++
      }
    }),
  )
  const moves = async (input: { placement: { node: string } | null }, from: unknown) => {
    await server.api.send(DeploymentUpdateDocument, { input: { deploymentId: id, ...input } })
    return given.when(id, 'moved', (it) => it.pid !== from && it.healthy && !it.restartPending)
  }

  const there = await moves({ placement: { node: 'plain' } }, pid)
  expect(there).toMatchObject({ computeNode: { name: 'plain' } })
  const back = await moves({ placement: null }, there.pid)
  expect(back.computeNode?.name).not.toBe('plain')
  const before = asked
  await until('some more requests', () => asked > before + 10)
  isOver = true
  await asking
})

test('an operation stops, and starts again, all that a machine serves', async () => {
  const deployment = await given.running({ name: 'operated', placement: { node: 'plain' } })
  const computeNodeId = deployment.computeNode?.id ?? ''
  const operate = async (operation: 'RESTART' | 'START' | 'STOP') => {
    const { operateComputeNode } = await server.api.send(OperateComputeNodeDocument, {
      input: { computeNodeId, operation },
    })
    return expected(operateComputeNode, 'ComputeNodeOperation').deployments
  }

  expect(await operate('RESTART')).toMatchObject([{ outcome: 'RESTARTED' }])
  const again = await given.reaches(deployment.id, 'RUNNING')
  expect(again.pid).not.toBe(deployment.pid)
  expect(await operate('STOP')).toMatchObject([{ outcome: 'STOPPING' }])
  await given.reaches(deployment.id, 'STOPPED')
  expect(await refusalOf({ placement: { node: 'plain' } })).toContain('plain is STOPPED.')
  await operate('START')
})

test('a path at which nothing lies here is one of the other machine; a program that is missing there is told', async () => {
  const modelPath = join(models, 'there-alone')
  const { pid } = await given.running({ modelPath, placement: { node: 'plain' } })
  expect(await words(pid, 'cmdline')).toContain(modelPath)

  const command = ['no-such-engine', '{model}', '--port', '{port}']
  await server.api.send(EngineCreateDocument, { input: { name: 'missing', command } })
  const { id } = await given.deployment({ engine: 'missing', placement: { node: 'plain' } })
  const failing = await given.when(id, 'failing', ({ restarts }) => restarts > 0)
  expect(failing.statusReason).toContain('no-such-engine')
})
