import { setTimeout as sleep } from 'node:timers/promises'
import { createSqliteLogLineStatements } from '../src/db/sqlite-log-line-statements.ts'
import { isFinal } from '../src/domains/runs/status.ts'
import { BenchRunEndDocument, RunUpdatedDocument } from '../src/generated/operations.ts'
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
/** How much the server makes one transaction of, in bytes of output. */
const CHUNK_BYTES = 256 * 1024
/** How long a server is left alone before its idle memory is read, in ms. */
const SETTLE_MS = 3000

/** Lines of a run, from its standard output to the API. */
export const output: BenchCase = {
  name: 'output',
  description: 'lines that one process prints at once, until they are stored and readable',
  async run({ scale }) {
    const count = Math.round(MILLION * scale)
    await using server = await startBenchServer()
    // Before and after, so that a machine whose speed changes does not favour either.
    const before = await insertBare(count)
    const collected = await collect(server, count)
    return report(count, collected, (before + (await insertBare(count))) / 2)
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

/** Starts a run that prints `count` lines, and waits until it is over and the API has the last one. */
async function collect(server: BenchServer, count: number): Promise<Collected> {
  const given = seed(server.api)
  const project = await given.project({ command: ['seq', '-f', `worker %.0f ${SENTENCE}`, String(count)] })
  await sleep(SETTLE_MS)
  const idleMemory = server.memory().resident
  server.forgetPeak()

  const id = await given.run({ project })
  for await (const { runUpdated } of server.api.watch(RunUpdatedDocument, { runId: id })) {
    if (isFinal(runUpdated.status)) break
  }
  const { run } = await server.api.send(BenchRunEndDocument, { id })
  const readableAt = Date.now()
  const last = run?.logs.edges[0]?.node
  if (run?.status !== 'SUCCEEDED' || last?.seq !== count || last.message !== messageOf(count)) {
    throw new Error(`The log is not complete: ${JSON.stringify(run)}`)
  }
  const seconds = (readableAt - Date.parse(run.startedAt ?? '')) / 1000
  return { seconds, idleMemory, peakMemory: server.memory().peak }
}

/** How long the driver takes for the same rows, in transactions of as many as the server makes of one read. */
async function insertBare(count: number): Promise<number> {
  await using database = await createBareDatabase()
  const { client } = database
  await client.execute('INSERT INTO "Stream" ("id") VALUES (1)')
  const logLines = createSqliteLogLineStatements((sql, args) => client.execute({ sql, args }))
  const perTransaction = Math.round(CHUNK_BYTES / (messageOf(count).length + 1))
  const timestamp = Date.now()
  let seconds = 0
  for (let first = 1; first <= count; first += perTransaction) {
    const rows = Array.from({ length: Math.min(perTransaction, count - first + 1) }, (_, index) => ({
      timestamp,
      level: 1,
      source: 0,
      partial: 0,
      message: messageOf(first + index),
    }))
    seconds += await secondsOf(async () => {
      await client.execute('BEGIN IMMEDIATE')
      await logLines.insertLogLines(1, first, rows)
      await client.execute('COMMIT')
    })
  }
  return seconds
}

function messageOf(number: number): string {
  return `worker ${number} ${SENTENCE}`
}
