import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { PASSWORD } from '../test/support/app.ts'
import { seed } from '../test/support/seed.ts'
import type { BenchCase, Measurement } from './bench-case.ts'
import { formatMemory, formatMs, formatNumber } from './support/format.ts'
import { memoryOf } from './support/memory.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { median, secondsOf } from './support/statistics.ts'

/** How often each is started. */
const STARTS = 7
/** How long a process is left alone before its idle memory is read, in ms. */
const SETTLE_MS = 5000
/** How many lines of a log are in the data folder that is not empty. */
const LINES = 200_000
/** Serves and says so. */
const HTTP_SERVER = `require('node:http').createServer((_, res) => res.end()).listen(0, '127.0.0.1', () => console.log('up'))`

/** What it costs to have a server. */
export const start: BenchCase = {
  name: 'start',
  description: 'from the start of the process to /readyz, and idle memory, against a bare Node.js',
  async run({ scale }) {
    const starts = Math.ceil(STARTS * scale)
    const lines = Math.round(LINES * scale)
    const bareMs = await medianMs(starts, startNothing)
    const bareMemory = await idleMemoryOfHttpServer()
    await using server = await startBenchServer()
    const emptyMs = await medianMs(starts, () => restart(server, { empty: true }))
    const emptyMemory = await idleMemory(server)
    await fill(server, lines)
    const filledMs = await medianMs(starts, () => restart(server, { empty: false }))
    const filledMemory = await idleMemory(server)

    const timed = (what: string, ms: number): Measurement => ({
      what: `start to /readyz, ${what}`,
      measured: formatMs(ms),
      limit: { what: 'node -e 0', measured: formatMs(bareMs) },
      ratio: { value: ms / bareMs },
    })
    const held = (what: string, bytes: number): Measurement => ({
      what: `idle memory, ${what}`,
      measured: formatMemory(bytes),
      limit: { what: 'bare HTTP server', measured: formatMemory(bareMemory) },
      ratio: { value: bytes / bareMemory },
    })
    const filled = `${formatNumber(lines)} lines of log`
    return [
      timed('empty data folder', emptyMs),
      timed(filled, filledMs),
      held('empty data folder', emptyMemory),
      held(filled, filledMemory),
    ]
  },
}

async function medianMs(times: number, measure: () => Promise<number>): Promise<number> {
  const seconds: number[] = []
  for (let n = 0; n < times; n++) seconds.push(await measure())
  return median(seconds) * 1000
}

/** How long Node.js takes to do nothing, in seconds. */
function startNothing(): Promise<number> {
  return secondsOf(() => once(spawn(process.execPath, ['-e', '0']), 'exit'))
}

/** Stops the server and starts it again. @returns how long it takes until it is ready, in seconds */
async function restart(server: BenchServer, { empty }: { empty: boolean }): Promise<number> {
  await server.kill('SIGTERM')
  if (empty) {
    await rm(server.dataDir, { recursive: true })
    await mkdir(server.dataDir)
  }
  const seconds = await secondsOf(async () => {
    await server.start()
    const { status } = await fetch(`${server.url}/readyz`)
    if (status !== 200) throw new Error(`/readyz answers ${status}.`)
  })
  // The keys of an earlier data folder are gone.
  await server.api.signIn('admin', PASSWORD)
  return seconds
}

async function idleMemory(server: BenchServer): Promise<number> {
  await sleep(SETTLE_MS)
  return server.memory().resident
}

async function idleMemoryOfHttpServer(): Promise<number> {
  const child = spawn(process.execPath, ['-e', HTTP_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await sleep(SETTLE_MS)
  const { resident } = memoryOf(child.pid ?? 0)
  child.kill()
  await once(child, 'exit')
  return resident
}

/** Makes a project with a finished run and its log. */
async function fill({ api }: BenchServer, lines: number): Promise<void> {
  const given = seed(api)
  const run = await given.run({ project: await given.project({ command: ['seq', String(lines)] }) })
  await given.end(run)
}
