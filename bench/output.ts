import { setTimeout as sleep } from 'node:timers/promises'
import { BenchRunEndDocument } from '../src/generated/operations.ts'
import { seed } from '../test/support/seed.ts'
import type { BenchCase, Measurement } from './bench-case.ts'
import { createBareDatabase } from './support/bare-database.ts'
import { formatMemory, formatNumber, formatRate } from './support/format.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { secondsOf } from './support/statistics.ts'

const MILLION = 1_000_000
const SENTENCE = 'took its batch from the queue, and put it back when it was done with it'
/** What the server may hold beyond what it holds idle, in bytes. */
const MEMORY_GOAL = 150 * 1024 * 1024
/** How often the server is asked whether it has everything, in ms: seldom enough not to slow it down. */
const ASK_MS = 50
/** How long a server is left alone before its idle memory is read, in ms. */
const SETTLE_MS = 3000

/** Lines of a run, from its standard output to the API. */
export const output: BenchCase = {
  name: 'output',
  description: 'lines that one process prints at once, until they are stored and readable',
  async run({ scale }) {
    const count = Math.round(MILLION * scale)
    await using server = await startBenchServer()
    const collected = await collect(server, count)
    return report(count, collected, await insertBare(count))
  },
}

interface Collected {
  seconds: number
  /** Of the server, in bytes. */
  idleMemory: number
  peakMemory: number
}

function report(count: number, collected: Collected, bareSeconds: number): Measurement[] {
  const grown = collected.peakMemory - collected.idleMemory
  return [
    {
      what: `${formatNumber(count)} lines of a process, stored and readable`,
      measured: formatRate(count, collected.seconds, 'lines'),
      limit: { what: 'bare insert', measured: formatRate(count, bareSeconds, 'lines') },
      ratio: { value: bareSeconds / collected.seconds, goal: { atLeast: 0.5 } },
    },
    {
      what: `peak memory of the server over its ${formatMemory(collected.idleMemory)} idle`,
      measured: `+${formatMemory(grown)}`,
      limit: { what: 'promised', measured: `+${formatMemory(MEMORY_GOAL)}` },
      ratio: { value: grown / MEMORY_GOAL, goal: { atMost: 1 } },
    },
  ]
}

/** Starts a run that prints `count` lines, and waits until the API has the last one and says that it is over. */
async function collect(server: BenchServer, count: number): Promise<Collected> {
  const given = seed(server.api)
  const project = await given.project({ command: ['seq', '-f', `worker %.0f ${SENTENCE}`, String(count)] })
  await sleep(SETTLE_MS)
  const idleMemory = server.memory().resident
  server.forgetPeak()

  const seconds = await secondsOf(async () => {
    const id = await given.run({ project })
    while (!(await hasEverything(server, id, count))) await sleep(ASK_MS)
  })
  return { seconds, idleMemory, peakMemory: server.memory().peak }
}

async function hasEverything({ api }: BenchServer, id: string, count: number): Promise<boolean> {
  const { run } = await api.send(BenchRunEndDocument, { id })
  const last = run?.logs.edges[0]?.node
  if (run?.status === 'SUCCEEDED') {
    if (last?.seq === count && last.message === messageOf(count)) return true
    throw new Error(`The log ends with line ${last?.seq}: ${last?.message}`)
  }
  if (run?.status === 'FAILED') throw new Error(`The run failed: ${run.statusReason}`)
  return false
}

/** How long the driver takes for the same rows, in transactions of as many as the server makes of one read. */
async function insertBare(count: number): Promise<number> {
  await using database = await createBareDatabase()
  const { client } = database
  await client.execute('INSERT INTO "Stream" ("id") VALUES (1)')
  const perTransaction = Math.round((256 * 1024) / (messageOf(count).length + 1))
  const timestamp = Date.now()
  return await secondsOf(async () => {
    for (let first = 1; first <= count; first += perTransaction) {
      const rows = Array.from({ length: Math.min(perTransaction, count - first + 1) }, (_, index) => [
        first + index,
        timestamp,
        1,
        0,
        0,
        messageOf(first + index),
      ])
      await client.execute('BEGIN IMMEDIATE')
      await client.execute({
        sql: `INSERT INTO "LogLine" ("streamId", "seq", "timestamp", "level", "source", "partial", "message")
                SELECT 1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?)`,
        args: [JSON.stringify(rows)],
      })
      await client.execute('COMMIT')
    }
  })
}

function messageOf(number: number): string {
  return `worker ${number} ${SENTENCE}`
}
