import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoginDocument } from '../src/generated/operations.ts'
import { PASSWORD } from '../test/support/app.ts'
import { seed } from '../test/support/seed.ts'
import type { BenchCase, Measurement } from './bench-case.ts'
import type { BareOrder } from './support/bare-sockets.ts'
import { end, gatherCrowd, nextMessage, startProgram } from './support/crowd.ts'
import type { CrowdReport } from './support/crowd-process.ts'
import { formatMs, formatNumber, formatRate } from './support/format.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'

const CLIENTS = 1000
/** How many lines the run prints at once. */
const BURST_LINES = 20_000
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
  const script = `
    for (let n = 1; n <= ${BURST_LINES}; n++) console.log('step ' + n + ' of the training of a language model')
    console.log('${LAST}')`
  const watched = await watchRun(server, clients, script)
  const bare = await sendBare(clients, { frames: watched.frames })
  return {
    what: `messages to ${formatNumber(clients)} subscribers, ${formatNumber(BURST_LINES)} lines in ${watched.frames.length} messages`,
    measured: formatRate(watched.messages, watched.seconds, 'messages'),
    limit: { what: 'bare ws', measured: formatRate(bare.messages, bare.seconds, 'messages') },
    ratio: { value: bare.seconds / watched.seconds, goal: { atLeast: 0.8 } },
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
      console.log((last ? '${LAST}, ' : 'step ' + n + ', ') + '${TIME}' + (performance.timeOrigin + performance.now()))
    }, ${1000 / rate})`
  const watched = await watchRun(server, clients, script, TIME)
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

/** What comes to a crowd that watches a run, of which the program begins once all are there. */
async function watchRun(
  server: BenchServer,
  clients: number,
  script: string,
  timeMark?: string,
): Promise<CrowdReport> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-'))
  const mayBegin = join(folder, 'may-begin')
  const given = seed(server.api)
  const project = await given.project({
    name: `fan-out-${folder.slice(-6)}`,
    command: [
      'bash',
      '-c',
      'until [ -e "$0" ]; do sleep 0.05; done; exec "$1" -e "$2"',
      mayBegin,
      process.execPath,
      script,
    ],
  })
  const runId = await given.run({ project })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  const input = { username: 'admin', password: PASSWORD }
  const { login } = await server.api.send(LoginDocument, { input })
  if (login.__typename !== 'Session') throw new Error(login.message)
  await using crowd = await gatherCrowd({
    url: `${server.url.replace(/^http/, 'ws')}/graphql`,
    clients,
    subscription: { token: login.accessToken, payload: { query: QUERY, variables: { runId } } },
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
