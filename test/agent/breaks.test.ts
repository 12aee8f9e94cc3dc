import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { AgentTestNodesDocument } from '../../src/generated/operations.ts'
import { type Relay, startRelay } from '../client/support/relay.ts'
import { COUNTER, numbers } from '../support/counter.ts'
import { isRunning } from '../support/processes.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from './support/agent.ts'

let server: ServerProcess
let relay: Relay
let agent: AgentProcess
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  server = await startServerProcess({
    TRAINYARD_MAX_CONCURRENT_RUNS: '20',
    TRAINYARD_NODE_LEASE_SECONDS: '2',
    TRAINYARD_RUN_LEASE_SECONDS: '600',
  })
  given = seed(server.api)
  relay = await startRelay(server.url)
  const { token } = await agentTokenOf(server.api)
  agent = await createAgentProcess({ server: relay.url, token, name: 'gpu-1', args: ['--max-runs', '20'] })
})
afterAll(async () => {
  await server.dispose()
  await agent.dispose()
  await relay.close()
  await rm(folder, { recursive: true, force: true })
})
beforeEach(() => agent.start())
afterEach(async () => {
  relay.thaw()
  await agent.kill('SIGKILL')
})

const placement = { node: 'gpu-1' }

let counters = 0

/** A run that counts on the other machine; what tells it to end, and how much of it has arrived. */
async function startCounter() {
  const file = join(folder, `counter-${++counters}-may-end`)
  const project = await given.project({ command: [process.execPath, '-e', COUNTER, file] })
  const id = await given.run({ project, placement })
  const [first] = await until('the first lines', async () => {
    const log = await given.log(id)
    return log.length > 0 && log
  })
  return {
    id,
    pid: Number(/^pid (\d+)$/.exec(first?.message ?? '')?.[1]),
    mayEnd: () => writeFile(file, ''),
    count: async () => (await given.log(id)).length,
  }
}
type Counter = Awaited<ReturnType<typeof startCounter>>

/** More lines than there were. */
async function growing({ count }: Counter): Promise<void> {
  const before = await count()
  await until('more lines', async () => (await count()) > before + 20)
}

async function expectWhole({ id, mayEnd, pid }: Counter): Promise<void> {
  await mayEnd()
  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0, statusReason: null })
  const log = await given.log(id)
  const said = (source: string) => log.filter((line) => line.source === source).map(({ message }) => message)
  const total = said('STDOUT').length - 2
  expect(said('STDOUT')).toEqual([
    `pid ${pid}`,
    ...numbers(total).map((n) => `line ${n}`),
    `counted to ${total}`,
  ])
  expect(said('STDERR')).toEqual(numbers(Math.floor(total / 7)).map((n) => `every seventh ${n * 7}`))
}

async function statusOf(name: string): Promise<string | undefined> {
  const { computeNodes } = await server.api.send(AgentTestNodesDocument)
  return computeNodes.edges.find(({ node }) => node.name === name)?.node.status
}

async function checksumOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

test('a run goes on through two kill -9 of the agent, which takes it up again', async () => {
  const counter = await startCounter()
  for (const _ of [1, 2]) {
    await agent.kill('SIGKILL')
    expect(isRunning(counter.pid)).toBe(true)
    await agent.start()
    await growing(counter)
  }
  await expectWhole(counter)
})

test('an agent that is killed at any moment starts nothing twice, and brings everything', async () => {
  const starts = join(folder, 'starts')
  const script = `
    const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs')
    appendFileSync(process.argv[1], process.env.TRAINYARD_RUN_ID + '\\n')
    let n = 0
    const timer = setInterval(() => {
      console.log('line ' + ++n)
      if (n < 150) return
      clearInterval(timer)
      mkdirSync(process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1')
      writeFileSync(process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1/weights.bin', Buffer.alloc(3_000_000, 7))
    }, 10)`
  const project = await given.project({ command: [process.execPath, '-e', script, starts] })
  const ids: string[] = []
  for (const ms of [100, 300, 500, 700, 900, 1500]) {
    ids.push(await given.run({ project, placement }))
    await sleep(ms)
    await agent.kill('SIGKILL')
    await agent.start()
  }
  for (const id of ids) {
    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'SUCCEEDED', artifacts: { totalCount: 1 } })
    expect(run.artifacts.edges[0]?.node).toMatchObject({ name: 'checkpoint-1', sizeBytes: 3_000_000 })
    const lines = (await given.log(id)).map(({ message }) => message)
    expect(lines).toEqual(numbers(150).map((n) => `line ${n}`))
  }
  expect((await readFile(starts, 'utf8')).trim().split('\n').sort()).toEqual(ids.toSorted())
}, 120_000)

test('what ends while no agent runs is told when there is one, with its results', async () => {
  const counter = await startCounter()
  await agent.kill('SIGTERM')
  await counter.mayEnd()
  await until('it to end', () => !isRunning(counter.pid))
  await agent.start()
  await expectWhole(counter)
})

test('a run goes on through two kill -9 of the server', async () => {
  const counter = await startCounter()
  for (const _ of [1, 2]) {
    await server.kill('SIGKILL')
    await server.start()
    await relay.close()
    relay = await startRelay(server.url, Number(new URL(relay.url).port))
    await growing(counter)
  }
  await expectWhole(counter)
})

test('a connection that is cut again and again loses and repeats nothing', async () => {
  const counter = await startCounter()
  for (const _ of numbers(20)) {
    const before = await counter.count()
    relay.cut()
    await until('more lines', async () => (await counter.count()) > before)
  }
  await expectWhole(counter)
})

test('a connection that is silent is given up for another, and nothing is lost', async () => {
  const counter = await startCounter()
  relay.freeze()
  await until('the node to be missed', async () => (await statusOf('gpu-1')) === 'OFFLINE')
  relay.thaw()
  await until('the node to be back', async () => (await statusOf('gpu-1')) === 'ONLINE')
  await growing(counter)
  await expectWhole(counter)
}, 120_000)

test('a run that is cancelled while its node is cut off ends as soon as that is back', async () => {
  const counter = await startCounter()
  relay.freeze()
  await given.cancel(counter.id, 0)
  expect(isRunning(counter.pid)).toBe(true)
  relay.thaw()
  expect(await given.end(counter.id)).toMatchObject({ status: 'CANCELLED' })
  expect(isRunning(counter.pid)).toBe(false)
}, 120_000)

test('a result of 20 MB comes whole through a connection that is cut on the way', async () => {
  const script = `
    const { mkdirSync, writeFileSync } = require('node:fs')
    const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
    mkdirSync(folder)
    const bytes = require('node:crypto').randomBytes(20 * 1024 * 1024)
    writeFileSync(folder + '/weights.bin', bytes)
    console.log(require('node:crypto').createHash('sha256').update(bytes).digest('hex'))`
  const id = await given.run({ project: await given.project({ script }), placement })
  const cutting = setInterval(() => relay.cut(), 400)
  const bitten = setTimeout(() => clearInterval(cutting), 6000)
  try {
    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'SUCCEEDED', artifacts: { totalCount: 1 } })
    const brought = join(server.dataDir, 'runs', id, 'output', 'checkpoint-1', 'weights.bin')
    const [line] = await given.log(id)
    expect(await checksumOf(brought)).toBe(line?.message)
  } finally {
    clearInterval(cutting)
    clearTimeout(bitten)
  }
}, 120_000)

test('a run whose folder is gone from the node is lost, and what was brought of it stays', async () => {
  const counter = await startCounter()
  await agent.kill('SIGKILL')
  await rm(join(agent.dataDir, 'executions'), { recursive: true })
  await agent.start()
  const run = await given.end(counter.id)
  expect(run).toMatchObject({ status: 'LOST', statusReason: 'The node has no record of it.' })
  expect(await counter.count()).toBeGreaterThan(0)
  // Its supervisor sees that its folder is gone.
  await until('its process to end', () => !isRunning(counter.pid))
})
