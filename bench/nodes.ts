import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BenchNodeHistoryDocument,
  BenchNodesDocument,
  type BenchNodesQuery,
  BenchWatchNodeDocument,
} from '../src/generated/operations.ts'
import { agentTokenOf } from '../test/agent/support/agent.ts'
import { until } from '../test/support/until.ts'
import type { BenchCase } from './bench-case.ts'
import type { AgentsOrder } from './support/agents-process.ts'
import { end, nextMessage, startProgram } from './support/crowd.ts'
import { formatMemory, formatMs, formatNumber, formatRate } from './support/format.ts'
import { processorSecondsOf } from './support/processor-time.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { median, percentile } from './support/statistics.ts'

const AGENTS = 200
/** How many processes they are in. */
const PROCESSES = 2
/** How often each measures its machine while somebody watches, in seconds. */
const PACE_SECONDS = 2
/** How long all are left alone before anything counts, in seconds. */
const WARM_UP_SECONDS = 10
/** How often it is measured, and how long each time, in seconds; of the ages, the medians of the turns count. */
const TURNS = 5
const TURN_SECONDS = 6
/** How often somebody looks at the list of all, in ms: often enough for each to count as watched. */
const LOOK_MS = 5000
/** How many of them are watched live: of one alone there would be few samples. */
const WATCHED = 50
/** How old a sample may be when it comes to who watches, in ms. */
const LATEST_MS = 500
/** A server as it is out of the box. */
const LIMITS = { TRAINYARD_RATE_LIMIT_POINTS: '100000', TRAINYARD_RATE_LIMIT_ANONYMOUS_REQUESTS: '600' }

/** Many machines that tell how they do. */
export const nodes: BenchCase = {
  name: 'nodes',
  description: `${AGENTS} agents that tell of their machines every ${PACE_SECONDS} s, against that pace, a core and ${LATEST_MS} ms`,
  async run({ scale }) {
    const count = Math.max(PROCESSES, Math.round(AGENTS * scale))
    await using server = await startBenchServer(LIMITS)
    const idle = server.memory().resident
    await using _agents = await startAgents(server, count)
    const all = await until('all to be told of', async () => {
      const found = await look(server)
      return found.length === count && found
    })
    await using watched = watch(server, all.slice(0, WATCHED))
    await sleep(1000 * WARM_UP_SECONDS)
    const { seconds, processorSeconds, samples, turns } = await measure(server, all, watched)
    const [p50, p99] = [medianOf(turns, 0.5), medianOf(turns, 0.99)]
    return [
      {
        what: `samples of ${formatNumber(count)} agents, stored`,
        measured: formatRate(samples, seconds, 'samples'),
        limit: {
          what: `one each every ${PACE_SECONDS} s`,
          measured: formatRate(count, PACE_SECONDS, 'samples'),
        },
        ratio: { value: samples / seconds / (count / PACE_SECONDS), goal: { atLeast: 0.95 } },
      },
      {
        what: "the server's CPU meanwhile",
        measured: `${formatNumber((100 * processorSeconds) / seconds)} %`,
        limit: { what: 'a core', measured: '100 %' },
        ratio: { value: processorSeconds / seconds },
      },
      {
        what: "the server's memory meanwhile",
        measured: formatMemory(server.memory().resident),
        limit: { what: 'without agents', measured: formatMemory(idle) },
        ratio: { value: server.memory().resident / idle },
      },
      {
        what: 'from the sample of a node to who watches it',
        measured: `p50 ${formatMs(p50)}, p99 ${formatMs(p99)}`,
        limit: { what: 'promised', measured: `p99 ${formatMs(LATEST_MS)}` },
        ratio: { value: p99 / LATEST_MS, goal: { atMost: 1 } },
      },
    ]
  },
}

/** Starts agents; resolves when all are registered. */
async function startAgents(server: BenchServer, count: number): Promise<AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-agents-'))
  const agents: AgentsOrder['agents'] = []
  for (let n = 1; n <= count; n++) {
    const { token } = await agentTokenOf(server.api)
    agents.push({ name: `node-${n}`, token })
  }
  const programs = Array.from({ length: PROCESSES }, () => startProgram('agents-process.ts'))
  const ready = programs.map((program, index) => {
    program.send({
      server: server.url,
      agents: agents.filter((_, n) => n % PROCESSES === index),
      folder,
    } satisfies AgentsOrder)
    return nextMessage(program)
  })
  await Promise.all(ready)
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(programs.map(end))
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type Node = BenchNodesQuery['computeNodes']['edges'][number]['node']

/** The agents' nodes that have measured something, as a page that lists all nodes asks for them. */
async function look({ api }: BenchServer): Promise<Node[]> {
  const found: Node[] = []
  let after: string | null = null
  do {
    const { computeNodes }: BenchNodesQuery = await api.send(BenchNodesDocument, { after })
    found.push(...computeNodes.edges.map(({ node }) => node))
    after = computeNodes.pageInfo.hasNextPage ? (computeNodes.pageInfo.endCursor ?? null) : null
  } while (after !== null)
  return found.filter(({ type, latestTelemetry }) => type !== 'CONTROL' && latestTelemetry)
}

/** Somebody who looks at the list of all nodes now and then, and watches some of them live. */
function watch(server: BenchServer, some: Node[]): Watched & AsyncDisposable {
  const abort = new AbortController()
  const { signal } = abort
  const ages: number[] = []
  async function watchOne({ id }: Node) {
    let isFirst = true
    for await (const { computeNodeTelemetry } of server.api.watch(
      BenchWatchNodeDocument,
      { id },
      { signal },
    )) {
      // The first is what was measured last, however long ago.
      if (!isFirst) ages.push(Date.now() - Date.parse(computeNodeTelemetry.timestamp))
      isFirst = false
    }
  }
  const work = Promise.all(some.map(watchOne))
  const looking = setInterval(() => void look(server), LOOK_MS)
  return {
    ages,
    async [Symbol.asyncDispose]() {
      clearInterval(looking)
      abort.abort()
      await work
    },
  }
}

interface Watched {
  /** How old each sample was when it came, in ms. */
  ages: number[]
}

async function measure(server: BenchServer, all: Node[], { ages }: Watched) {
  const since = new Date()
  const processorBefore = processorSecondsOf(server.pid())
  const turns: number[][] = []
  for (let turn = 0; turn < TURNS; turn++) {
    ages.length = 0
    await sleep(1000 * TURN_SECONDS)
    turns.push(ages.slice())
  }
  const until = new Date()
  const processorSeconds = processorSecondsOf(server.pid()) - processorBefore
  let samples = 0
  for (const { id } of all) {
    const { computeNode } = await server.api.send(BenchNodeHistoryDocument, {
      id,
      since: since.toISOString(),
      until: until.toISOString(),
    })
    for (const { sampleCount } of computeNode?.telemetry ?? []) samples += sampleCount
  }
  return { seconds: (until.getTime() - since.getTime()) / 1000, processorSeconds, samples, turns }
}

/** The median over the turns of the age that so large a share of the samples does not exceed. */
function medianOf(turns: number[][], share: number): number {
  return median(turns.map((ages) => percentile(ages, share)))
}
