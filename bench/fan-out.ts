import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessTokenOf } from '../test/support/access-token.ts'
import { seed } from '../test/support/seed.ts'
import type { BenchCase, Measurement } from './bench-case.ts'
import type { BareOrder } from './support/bare-sockets.ts'
import { end, gatherCrowd, nextMessage, startProgram } from './support/crowd.ts'
import type { CrowdReport } from './support/crowd-process.ts'
import { formatMs, formatNumber, formatRate } from './support/format.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { median } from './support/statistics.ts'

const CLIENTS = 1000
/**
 * How many lines the run prints at once. More, times the clients, would fill what the kernel has for sockets (1.5 GB on
 * a machine of 24 GB); what it drops then, it sends again after half a second, on either side of the comparison.
 */
const BURST_LINES = 8000
/** How often that is measured, in turns with the bare server; the medians count. */
const TURNS = 5
/** Lines a second of the run that each client gets; in total that many times the clients. */
const LIVE_RATES = [10, 30]
const LIVE_SECONDS = 10
const LAST = 'that was the last line'
const TIME = 'printed at '
const QUERY = `subscription ($runId: ID!) {
  runLogs(runId: $runId) { lines { seq timestamp level source message } cursor }
}`

/** One run, many watchers. */
export const fanOut: BenchCase = {
  name: 'fan-out',
  description: 'the log of one run to 1,000 graphql-ws subscribers, against the same frames sent by bare ws',
  async run({ scale }) {
    const clients = Math.max(10, Math.round(CLIENTS * scale))
    await using server = await startBenchServer()
    const measurements = [await measureBurst(server, clients)]
    for (const rate of LIVE_RATES) measurements.push(await measureLatency(server, clients, rate))
    return measurements
  },
}

/** How fast they get what is printed faster than it can be sent. */
async function measureBurst(server: BenchServer, clients: number): Promise<Measurement> {
  const print = `seq -f 'worker %.0f took its batch from the queue of the loader' ${BURST_LINES}; echo ${LAST}`
  const rates: { watched: number[]; bare: number[] } = { watched: [], bare: [] }
  let messages = 0
  for (let turn = 0; turn < TURNS; turn++) {
    const watched = await watchRun(server, clients, ['bash', '-c', print])
    const bare = await sendBare(clients, { frames: watched.frames })
    rates.watched.push(watched.messages / watched.seconds)
    rates.bare.push(bare.messages / bare.seconds)
    messages = watched.frames.length
  }
  const [watched, bare] = [median(rates.watched), median(rates.bare)]
  return {
    what: `messages to ${formatNumber(clients)} subscribers, ${formatNumber(BURST_LINES)} lines in ${messages} messages`,
    measured: formatRate(watched, 1, 'messages'),
    limit: { what: 'bare ws', measured: formatRate(bare, 1, 'messages') },
    ratio: { value: watched / bare, goal: { atLeast: 0.8 } },
  }
}

/** How long a line takes from its print to everyone. */
async function measureLatency(server: BenchServer, clients: number, rate: number): Promise<Measurement> {
  const count = rate * LIVE_SECONDS
  const script = `
    let n = 0
    const timer = setInterval(() => {
      const last = ++n === ${count}
      if (last) clearInterval(timer)
      console.log((last ? '${LAST}, ' : 'worker ' + n + ', ') + '${TIME}' + (performance.timeOrigin + performance.now()))
    }, ${1000 / rate})`
  const watched = await watchRun(server, clients, [process.execPath, '-e', script], TIME)
  const bare = await sendBare(clients, {
    frames: Array.from({ length: count }, (_, index) => (index + 1 === count ? `${TIME} ${LAST}` : TIME)),
    paced: { perSecond: rate, timeMark: TIME },
  })
  return {
    what: `from print to subscriber, ${formatNumber(rate * clients)} lines/s in all`,
    measured: formatLatency(watched),
    limit: { what: 'bare ws, from send to client', measured: formatLatency(bare) },
  }
}

function formatLatency({ latency }: CrowdReport): string {
  if (!latency) throw new Error('Nobody has measured how long a message took.')
  return `p50 ${formatMs(latency.p50)}, p99 ${formatMs(latency.p99)}`
}

/** What comes to a crowd that watches a run, of which the command begins once all are there. */
async function watchRun(
  server: BenchServer,
  clients: number,
  command: string[],
  timeMark?: string,
): Promise<CrowdReport> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-'))
  const mayBegin = join(folder, 'may-begin')
  const given = seed(server.api)
  const project = await given.project({
    name: `fan-out-${folder.slice(-6)}`,
    command: ['bash', '-c', 'until [ -e "$0" ]; do sleep 0.05; done; exec "$@"', mayBegin, ...command],
  })
  const runId = await given.run({ project })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  const token = await accessTokenOf(server.url)
  await using crowd = await gatherCrowd({
    url: `${server.url.replace(/^http/, 'ws')}/graphql`,
    clients,
    subscription: { token, payload: { query: QUERY, variables: { runId } } },
    lastMark: LAST,
    timeMark,
  })
  await writeFile(mayBegin, '')
  const report = await crowd.finished()
  await rm(folder, { recursive: true })
  return report
}

/** What comes to a crowd of the same size from a server that does nothing but send. */
async function sendBare(clients: number, order: BareOrder): Promise<CrowdReport> {
  const program = startProgram('bare-sockets.ts')
  try {
    const port = await nextMessage<number>(program)
    await using crowd = await gatherCrowd({
      url: `ws://127.0.0.1:${port}`,
      clients,
      lastMark: LAST,
      timeMark: order.paced?.timeMark,
    })
    program.send(order)
    return await crowd.finished()
  } finally {
    await end(program)
  }
}
