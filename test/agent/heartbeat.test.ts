import { createServer, request, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AgentTestNodeDocument,
  AgentTestTelemetryDocument,
  type AgentTestTelemetrySubscription,
} from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { numbers } from '../support/counter.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { agentTokenOf } from './support/agent.ts'
import { startAgent } from './support/in-process.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ nodeLeaseSeconds: 2 })
})
afterAll(() => app.stop())

async function start(name: string, server = app.url) {
  const { token } = await agentTokenOf(app.api)
  return startAgent({ server, token, name, maxRuns: 4 })
}

async function nodeOf(id: string) {
  const { computeNode } = await app.api.send(AgentTestNodeDocument, { node: id })
  return computeNode
}

test('the server knows what the machine is and how it does, often while somebody watches', async () => {
  const agent = await start('measured')
  try {
    expect(await nodeOf(agent.nodeId)).toMatchObject({
      name: 'measured',
      type: 'SERVER',
      status: 'ONLINE',
      address: '127.0.0.1',
      maxRuns: 4,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      hardware: { cpu: { threads: expect.any(Number) }, memoryTotalBytes: expect.any(Number) },
    })
    const samples = app.api.watch(AgentTestTelemetryDocument, { node: agent.nodeId })
    const seen: AgentTestTelemetrySubscription['computeNodeTelemetry'][] = []
    for await (const { computeNodeTelemetry } of samples) {
      seen.push(computeNodeTelemetry)
      if (seen.length === 3) break
    }
    for (const sample of seen) {
      expect(sample.cpuUsage).toBeGreaterThanOrEqual(0)
      expect(sample.memoryUsage).toBeGreaterThan(0)
      expect(sample.memoryTotalBytes).toBeGreaterThan(0)
    }
    expect(new Set(seen.map(({ timestamp }) => timestamp)).size).toBe(3)
  } finally {
    await agent.dispose()
  }
})

test('a node is OFFLINE when its agent has stopped', async () => {
  const agent = await start('stopped')
  await agent.dispose()
  expect(await agent.ended).toBeNull()
  await until('it to be missed', async () => (await nodeOf(agent.nodeId))?.status === 'OFFLINE')
})

test('where no WebSocket can be had, heartbeats tell what to do', async () => {
  const proxy = await startHttpProxy(app.url)
  const agent = await start('without-sockets', proxy.url)
  try {
    const given = seed(app.api)
    const script = `for (let n = 1; n <= 100; n++) console.log('line ' + n)`
    const placement = { node: 'without-sockets' }
    const id = await given.run({ project: await given.project({ script }), placement })
    expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED' })
    expect((await given.log(id)).map(({ message }) => message)).toEqual(numbers(100).map((n) => `line ${n}`))
  } finally {
    await agent.dispose()
    proxy.server.close()
    proxy.server.closeAllConnections()
  }
})

test('several agents live in one process, each with its own work', async () => {
  const agents = await Promise.all(numbers(5).map((n) => start(`crowd-${n}`)))
  try {
    const given = seed(app.api)
    const project = await given.project({ script: `console.log('on', process.cwd())`, name: 'crowded' })
    const ids = await Promise.all(
      agents.map(({ nodeId }) => given.run({ project, placement: { node: nodeId } })),
    )
    for (const id of ids) expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED' })
  } finally {
    await Promise.all(agents.map((agent) => agent.dispose()))
  }
})

/** Passes requests on, and knows nothing of WebSockets. */
async function startHttpProxy(target: string): Promise<{ server: Server; url: string }> {
  const server = createServer((req, res) => {
    const { method, headers } = req
    const passed = request(new URL(req.url ?? '/', target), { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(res)
    })
    passed.on('error', () => res.destroy())
    req.pipe(passed)
  })
  server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')
  return { server, url: `http://127.0.0.1:${address.port}` }
}
