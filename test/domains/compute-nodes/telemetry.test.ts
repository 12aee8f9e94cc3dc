import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import {
  AccountCreateApiTokenDocument,
  AgentHeartbeatDocument,
  AgentOrdersDocument,
  AgentRegisterDocument,
  NodeHistoryDocument,
  NodeTelemetryDocument,
  OwnNodeDocument,
  RunGpuUtilizationDocument,
  TotalTelemetryDocument,
} from '../../../src/generated/operations.ts'
import type { TelemetrySample } from '../../../src/machine/types.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { ApiClient } from '../../support/client.ts'
import { endRuns } from '../../support/end-runs.ts'
import { writeNvidiaSmi } from '../../support/nvidia-smi.ts'
import { as } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { connectSubscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'
import { gpuSample, sampleAt } from './support/telemetry.ts'

const PATH = process.env.PATH
let programs: string
let app: TestApp
beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'trainyard-programs-'))
  await writeNvidiaSmi(programs, [{ 'utilization.gpu': 42 }])
  process.env.PATH = `${programs}:${PATH}`
  app = await startTestApp()
})
afterAll(async () => {
  await app.stop()
  process.env.PATH = PATH
  await rm(programs, { recursive: true, force: true })
})

/** A machine whose agent is this test. */
async function givenAgent(name: string): Promise<{ id: string; agent: ApiClient; measure: typeof measure }> {
  const { createApiToken } = await app.api.send(AccountCreateApiTokenDocument, {
    input: { name, scopes: ['AGENT'] },
  })
  if (createApiToken.__typename !== 'ApiToken') throw new Error(createApiToken.__typename)
  const agent = as(app, createApiToken.token)
  const { registerAgent } = await agent.send(AgentRegisterDocument, {
    input: { name, installationId: `data folder of ${name}`, hardware: {}, agentVersion: '1' },
  })
  if (registerAgent.__typename !== 'ComputeNode') throw new Error(registerAgent.message)

  async function measure(...samples: TelemetrySample[]) {
    for (const { timestamp, ...sample } of samples) {
      const { sendHeartbeat } = await agent.send(AgentHeartbeatDocument, {
        input: { sample: { ...sample, timestamp: timestamp.toISOString() } },
      })
      expect(sendHeartbeat.__typename).toBe('AgentOrders')
    }
  }
  return { id: registerAgent.id, agent, measure }
}

/** The node of the server, with so many points of the last hour at most. */
async function ownNode(maxPoints = 300) {
  const { computeNodes } = await app.api.send(OwnNodeDocument, { maxPoints })
  const [edge] = computeNodes.edges
  if (!edge) throw new Error('The server has no node of its own.')
  return edge.node
}

test('the machine of the server measures itself, and goes on with its history after a restart', async () => {
  const latest = await until('a first sample', async () => (await ownNode()).latestTelemetry)
  expect(latest).toMatchObject({
    sampleCount: 1,
    cpuUsage: expect.any(Number),
    diskUsage: expect.any(Number),
    gpus: [{ index: 0, name: 'NVIDIA H100 80GB HBM3', utilization: 42, utilizationMax: 42 }],
  })
  expect(latest.memoryTotalBytes).toBeGreaterThan(0)

  await app.restart()
  const after = await until('a sample of the new server', async () => {
    const node = await ownNode(2000)
    return node.latestTelemetry && node.telemetry.length > 1 && node
  })
  const [earliest] = after.telemetry
  expect(Date.parse(earliest?.timestamp ?? '')).toBeLessThanOrEqual(Date.parse(latest.timestamp))
  expect(earliest?.gpus[0]?.name).toBe('NVIDIA H100 80GB HBM3')
})

test('the machine of the server says what it is', async () => {
  const { hardware } = await ownNode()
  expect(hardware).toMatchObject({
    hostname: hostname(),
    cpu: { threads: expect.any(Number) },
    memoryTotalBytes: expect.any(Number),
    gpus: [{ index: 0, name: 'NVIDIA H100 80GB HBM3' }],
  })
})

test('who watches the machine of the server gets the latest sample at once, and then one after the other', async () => {
  await until('a first sample', async () => (await ownNode()).latestTelemetry)
  const subscriber = await connectSubscriber(app.url)
  const watching = subscriber.subscribe(NodeTelemetryDocument, { id: OWN_NODE_ID })
  await until('several samples', () => watching.data.length >= 4, 30_000)
  const times = watching.data.map(({ computeNodeTelemetry }) => computeNodeTelemetry.timestamp)
  expect(times).toEqual([...new Set(times)].sort())
  await subscriber.close()
})

test('samples of an agent come to who watches it, and an agent that somebody watches is to measure more often', async () => {
  const { id, agent, measure } = await givenAgent('watched')
  const orders = agent.watch(AgentOrdersDocument)
  const seconds = async () => (await orders.next()).value.agentOrders.telemetrySeconds
  expect(await seconds()).toBe(15)

  const subscriber = await connectSubscriber(app.url)
  const watching = subscriber.subscribe(NodeTelemetryDocument, { id })
  expect(await seconds()).toBe(2)

  const now = Date.now()
  for (const second of [0, 1, 2]) {
    await measure(sampleAt(now + second, { cpuUsage: second, gpus: [gpuSample({ utilization: null })] }))
    await until('the sample', () => watching.data.length === second + 1)
  }
  expect(watching.data.map(({ computeNodeTelemetry }) => computeNodeTelemetry.cpuUsage)).toEqual([0, 1, 2])
  expect(watching.data[0]?.computeNodeTelemetry.gpus).toMatchObject([
    { index: 0, name: 'NVIDIA L4', utilization: null, memoryTotalBytes: 24_000 },
  ])
  await subscriber.close()
  await agent.close()
})

test('a run is told how busy the GPU is that it got, while it holds it', async () => {
  const given = seed(app.api)
  const project = await given.project({ command: ['sleep', '3600'] })
  const id = await given.run({ project, resources: { gpuCount: 1 } })
  let known: number | null = null
  void (async () => {
    for await (const { runUpdated } of app.api.watch(RunGpuUtilizationDocument, { id })) {
      known = runUpdated.gpuUtilization
    }
  })()
  // Whoever looks lets the machine measure itself more often.
  await until('the utilization of the GPU', async () => (await ownNode()).latestTelemetry && known === 0.42)
  await writeNvidiaSmi(programs, [{ 'utilization.gpu': 77 }])
  await until('another one', async () => (await ownNode()).latestTelemetry && known === 0.77)
  await endRuns(app.api)
})

test('there is nothing to watch of a node that is not there', async () => {
  const subscriber = await connectSubscriber(app.url)
  const watching = subscriber.subscribe(NodeTelemetryDocument, { id: 'node_00000000000000000000000001' })
  await watching.over()
  expect(watching.errorCodes).toEqual(['NOT_FOUND'])
  await subscriber.close()
})

test('the history of a node, and of several together, is told by time', async () => {
  const one = await givenAgent('one')
  const other = await givenAgent('other')
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 10 * 60_000
  const gpu = (utilization: number) => gpuSample({ utilization, memoryUsedBytes: 100, powerWatts: 50 })
  await one.measure(
    sampleAt(minute, {
      cpuUsage: 10,
      networkRxBytesPerSecond: 100,
      gpus: [gpu(0), { ...gpu(100), index: 1 }],
    }),
    sampleAt(minute + 15_000, { cpuUsage: 30, networkRxBytesPerSecond: 300, gpus: [gpu(20)] }),
  )
  await other.measure(sampleAt(minute + 1000, { cpuUsage: 80, networkRxBytesPerSecond: 1000 }))
  await other.measure(sampleAt(minute + 61_000, { cpuUsage: 70 }))
  const range = { since: new Date(minute).toISOString(), until: new Date(minute + 120_000).toISOString() }

  const { computeNode } = await app.api.send(NodeHistoryDocument, { id: one.id, ...range })
  expect(computeNode?.telemetry).toMatchObject([
    { cpuUsage: 10, sampleCount: 1, gpus: [{ utilization: 0 }, { utilization: 100 }] },
    { cpuUsage: 30, sampleCount: 1, gpus: [{ utilization: 20 }] },
  ])
  const { computeNode: coarse } = await app.api.send(NodeHistoryDocument, {
    id: one.id,
    ...range,
    maxPoints: 1,
  })
  expect(coarse?.telemetry).toMatchObject([
    { cpuUsage: 20, cpuUsageMin: 10, cpuUsageMax: 30, sampleCount: 2, timestamp: range.since },
  ])

  const { telemetry } = await app.api.send(TotalTelemetryDocument, { ids: [one.id, other.id], ...range })
  expect(telemetry).toMatchObject([
    {
      timestamp: range.since,
      nodeCount: 2,
      cpuUsage: 50,
      cpuUsageMin: 10,
      cpuUsageMax: 80,
      memoryTotalBytes: 2000,
      memoryUsedBytes: 1000,
      networkRxBytesPerSecond: 1200,
      gpuCount: 2,
      gpuUtilization: 55,
      gpuMemoryUsedBytes: 200,
      gpuPowerWatts: 100,
    },
    { nodeCount: 1, cpuUsage: 70, gpuCount: 0, gpuUtilization: null, gpuMemoryUsedBytes: null },
  ])
  const { telemetry: ofControl } = await app.api.send(TotalTelemetryDocument, {
    ids: [one.id, other.id],
    filter: { type: 'CONTROL' },
  })
  expect(ofControl).toEqual([])
})

test('what cannot be told is refused with the argument that it is about', async () => {
  const answer = await app.api.ask(NodeHistoryDocument, { id: OWN_NODE_ID, maxPoints: 5000 })
  expect(answer.errors).toMatchObject([{ extensions: { code: 'VALIDATION_FAILED' } }])
})
