import { join } from 'node:path'
import type { Client } from '@libsql/client'
import { BenchRunsDocument } from '../src/generated/operations.ts'
import { newId } from '../src/ids.ts'
import { seed } from '../test/support/seed.ts'
import type { BenchCase } from './bench-case.ts'
import { connectBare } from './support/bare-database.ts'
import { formatMs, formatNumber } from './support/format.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { median, msOfEach } from './support/statistics.ts'

const RUNS = 5000
const KEYS = [
  'loss',
  'grad_norm',
  'learning_rate',
  'eval_loss',
  'accuracy',
  'f1',
  'mfu',
  'tps',
  'kl',
  'reward',
]
const PAGE = 100
/** How often each is read; the first reads, in which both are still cold, do not count. */
const READS = 300
const WARM_UP = 200

/** A page of the runs table, as a dashboard shows it. */
export const lists: BenchCase = {
  name: 'lists',
  description:
    'a page of runs with their latest metrics over HTTP, against the same rows by hand-written SQL',
  async run({ scale }) {
    const runs = Math.max(PAGE, Math.round(RUNS * scale))
    const reads = Math.ceil(READS * scale)
    await using server = await startBenchServer()
    await makeRuns(server, runs)
    const requested = await medianMs(reads, () => request(server))
    const client = await connectBare(join(server.dataDir, 'trainyard.db'))
    const selected = await medianMs(reads, () => select(client))
    client.close()
    return [
      {
        what: `${PAGE} of ${formatNumber(runs)} runs with ${KEYS.length} latest metrics each`,
        measured: formatMs(requested),
        limit: { what: 'SQL', measured: formatMs(selected) },
        ratio: { value: requested / selected, goal: { atMost: 5 } },
      },
    ]
  },
}

async function medianMs(reads: number, read: () => Promise<number>): Promise<number> {
  const times = await msOfEach(WARM_UP + reads, async () => {
    const values = await read()
    if (values !== PAGE * KEYS.length) throw new Error(`${values} values were read.`)
  })
  return median(times.slice(WARM_UP))
}

/** @returns how many values came. */
async function request({ api }: BenchServer): Promise<number> {
  const { runs } = await api.send(BenchRunsDocument, { first: PAGE })
  return runs.edges.reduce((sum, { node }) => sum + node.metrics.length, 0)
}

/** @returns how many values came. */
async function select(client: Client): Promise<number> {
  const runs = await client.execute({
    sql: `SELECT "id", "name", "status", "progress", "step", "totalSteps", "createdAt", "finishedAt"
          FROM "Run" ORDER BY "id" DESC LIMIT ?`,
    args: [PAGE],
  })
  const series = await client.execute({
    sql: `SELECT "runId", "key", "lastValue", "lastNonFinite", "lastStep", "lastTimestamp"
          FROM "MetricSeries" WHERE "runId" IN (SELECT value FROM json_each(?)) ORDER BY "runId", "key"`,
    args: [JSON.stringify(runs.rows.map((row) => row.id))],
  })
  const byRun = Map.groupBy(series.rows, (row) => row.runId)
  return runs.rows.reduce((sum, { id }) => sum + (byRun.get(id)?.length ?? 0), 0)
}

/** Writes finished runs into the database while the server is down: made one by one they would take minutes. */
async function makeRuns(server: BenchServer, count: number): Promise<void> {
  await seed(server.api).project({ name: 'many', command: ['true'] })
  await server.kill('SIGTERM')
  const client = await connectBare(join(server.dataDir, 'trainyard.db'))
  const ids = JSON.stringify(Array.from({ length: count }, () => newId('Run')))
  const times = `'2026-01-01T00:00:00.000+00:00'`
  await client.batch([
    { sql: `INSERT INTO "Stream" ("id") SELECT 2 * key + 1 FROM json_each(?)`, args: [ids] },
    { sql: `INSERT INTO "Stream" ("id") SELECT 2 * key + 2 FROM json_each(?)`, args: [ids] },
    {
      sql: `INSERT INTO "Run" ("id", "name", "status", "progress", "step", "totalSteps", "hyperparameters", "resources",
              "argv", "startCommand", "createdAt", "startedAt", "finishedAt", "updatedAt",
              "projectId", "createdById", "logStreamId", "metricStreamId")
            SELECT value, 'run-' || key, 'SUCCEEDED', 1, 1000, 1000, '{"learning_rate":0.0001,"batch_size":8}', '{}',
              '["true"]', 'true', ${times}, ${times}, ${times}, ${times},
              (SELECT "id" FROM "Project"), (SELECT "id" FROM "User"), 2 * key + 1, 2 * key + 2
            FROM json_each(?)`,
      args: [ids],
    },
    {
      sql: `INSERT INTO "MetricSeries" ("runId", "key", "pointCount", "lastStep", "lastValue", "lastTimestamp")
            SELECT runs.value, keys.value, 1000, 1000, runs.key / 7.0, 1767225600000
            FROM json_each(?) AS runs, json_each(?) AS keys`,
      args: [ids, JSON.stringify(KEYS)],
    },
  ])
  client.close()
  await server.start()
}
