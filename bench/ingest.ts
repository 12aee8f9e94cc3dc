import type { Client } from '@libsql/client'
import { MAX_POINTS } from '../src/domains/runs/reporting.ts'
import type { BenchCase } from './bench-case.ts'
import { createBareDatabase } from './support/bare-database.ts'
import { formatNumber, formatRate } from './support/format.ts'
import { type Columns, someColumns, startReportedRun } from './support/reported-run.ts'
import { startBenchServer } from './support/server.ts'
import { median, secondsOf } from './support/statistics.ts'

const POINTS = 1_000_000
const KEYS = ['loss', 'grad_norm', 'learning_rate', 'eval/loss']
const IN_FLIGHT = 2
/** Both are measured in turns, so that what else the machine does meets both; the median of the turns counts. */
const TURNS = 5

/** Points that scripts report, from the request to the disk. */
export const ingest: BenchCase = {
  name: 'ingest',
  description: `points through logMetrics over HTTP, ${formatNumber(MAX_POINTS)} a call, against the bare insert of the same rows`,
  async run({ scale }) {
    const calls = Math.max(2, Math.round((POINTS * scale) / TURNS / MAX_POINTS))
    const points = calls * MAX_POINTS
    await using server = await startBenchServer()
    await using database = await createBareDatabase()
    const run = await startReportedRun(server)
    await database.client.execute('PRAGMA foreign_keys = OFF')

    const turns: { reported: number; inserted: number }[] = []
    for (let turn = 0; turn < TURNS; turn++) {
      const batches = Array.from({ length: calls }, (_, call) => someBatch(turn * calls + call))
      const requests = batches.map(run.prepare)
      const reported = await secondsOf(() => run.send(requests, IN_FLIGHT))
      const rows = batches.map((batch, call) => toRows(batch, turn * points + call * MAX_POINTS))
      const inserted = await secondsOf(() => insertBare(database.client, rows))
      turns.push({ reported, inserted })
    }
    const reported = median(turns.map((turn) => turn.reported))
    const inserted = median(turns.map((turn) => turn.inserted))
    return [
      {
        what: `${formatNumber(points * TURNS)} points of ${KEYS.length} keys, stored and rolled up`,
        measured: formatRate(points, reported, 'points'),
        limit: { what: 'bare insert', measured: formatRate(points, inserted, 'points') },
        ratio: {
          value: median(turns.map((turn) => turn.inserted / turn.reported)),
          goal: { atLeast: 0.5 },
        },
      },
    ]
  },
}

/** What one call carries: the next steps of every key. */
function someBatch(call: number): Columns[] {
  const perKey = MAX_POINTS / KEYS.length
  return KEYS.map((key) => someColumns(key, call * perKey, perKey))
}

/** Series, step, value, what is not finite, number in the stream and time of each point. */
function toRows(batch: Columns[], rowsBefore: number): number[][] {
  const timestamp = Date.now()
  const points = batch.flatMap(({ steps, values }, index) =>
    steps.map((step, n) => [index + 1, step, values[n] ?? 0, 0]),
  )
  return points.map((point, index) => [...point, rowsBefore + index + 1, timestamp])
}

/** Rows by the thousand as one would hand them to the driver: as JSON, one statement and one transaction a batch. */
async function insertBare(client: Client, batches: number[][][]): Promise<void> {
  for (const rows of batches) {
    await client.execute('BEGIN IMMEDIATE')
    await client.execute({
      sql: `INSERT INTO "MetricPoint" ("streamId", "seriesId", "step", "value", "nonFinite", "seq", "timestamp")
            SELECT 1, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(?)`,
      args: [JSON.stringify(rows)],
    })
    await client.execute('COMMIT')
  }
}
