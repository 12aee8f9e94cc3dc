import { join } from 'node:path'
import { MAX_POINTS } from '../src/domains/runs/reporting.ts'
import { BenchSeriesDocument } from '../src/generated/operations.ts'
import type { BenchCase } from './bench-case.ts'
import { connectBare } from './support/bare-database.ts'
import { formatMs, formatNumber } from './support/format.ts'
import { type ReportedRun, someColumns, startReportedRun } from './support/reported-run.ts'
import { type BenchServer, startBenchServer } from './support/server.ts'
import { median, msOfEach } from './support/statistics.ts'

const POINTS = 1_000_000
/** A series that is just long enough to be drawn in as many buckets, for comparison. */
const FEW_POINTS = 10_000
const BUCKETS = 1000
const READS = 25
const SCANS = 5

/** A chart of a long series. */
export const series: BenchCase = {
  name: 'series',
  description: `metricSeries(maxPoints: ${BUCKETS}) over HTTP, against the bare GROUP BY scan of the same points`,
  async run({ scale }) {
    const points = Math.max(2 * FEW_POINTS, Math.round((POINTS * scale) / MAX_POINTS) * MAX_POINTS)
    await using server = await startBenchServer()
    const run = await startReportedRun(server)
    await report(run, 'long', points)
    await report(run, 'short', FEW_POINTS)
    const long = await medianOfReads(server, run, 'long')
    const short = await medianOfReads(server, run, 'short')
    const scanned = await medianOfScans(server, points)
    return [
      {
        what: `a chart of ${formatNumber(points)} points`,
        measured: formatMs(long),
        limit: { what: 'GROUP BY', measured: formatMs(scanned) },
        ratio: { value: long / scanned, goal: { atMost: 0.1 } },
      },
      {
        what: `a chart of ${formatNumber(points)} points`,
        measured: formatMs(long),
        limit: { what: `one of ${formatNumber(FEW_POINTS)} points`, measured: formatMs(short) },
        ratio: { value: long / short },
      },
    ]
  },
}

async function report(run: ReportedRun, key: string, points: number): Promise<void> {
  for (let first = 0; first < points; first += MAX_POINTS) {
    await run.send([run.prepare([someColumns(key, first, MAX_POINTS)])], 1)
  }
}

async function medianOfReads({ api }: BenchServer, { id }: ReportedRun, key: string): Promise<number> {
  const read = async () => {
    const { run } = await api.send(BenchSeriesDocument, { id, keys: [key], maxPoints: BUCKETS })
    const count = run?.metricSeries[0]?.buckets.length ?? 0
    if (count > BUCKETS || count < BUCKETS / 2) throw new Error(`There were ${count} buckets.`)
  }
  await read()
  return median(await msOfEach(READS, read))
}

/** The scan that there would be without roll-ups, of the server's own rows. */
async function medianOfScans({ dataDir }: BenchServer, points: number): Promise<number> {
  const client = await connectBare(join(dataDir, 'trainyard.db'))
  const scan = async () => {
    const { rows } = await client.execute(
      `SELECT MIN("step"), MAX("step"), MIN("value"), MAX("value"), AVG("value"), COUNT(*) FROM "MetricPoint"
       WHERE "seriesId" = (SELECT "id" FROM "MetricSeries" WHERE "key" = 'long')
       GROUP BY "step" / ${Math.ceil(points / BUCKETS)} ORDER BY 1`,
    )
    if (rows.length !== BUCKETS) throw new Error(`There were ${rows.length} buckets.`)
  }
  await scan()
  const times = await msOfEach(SCANS, scan)
  client.close()
  return median(times)
}
