import { accessTokenOf } from '../../test/support/access-token.ts'
import { seed } from '../../test/support/seed.ts'
import type { BenchServer } from './server.ts'

/** Points of one key, as logMetrics takes them. */
export interface Columns {
  key: string
  steps: number[]
  values: number[]
}

/** A run that takes reports until the server is gone. */
export interface ReportedRun {
  id: string
  /** The request that reports these points, ready to be sent: writing it is the script's work, not the server's. */
  prepare(series: Columns[]): string
  /** Sends requests, `inFlight` of them at a time; resolves when all are answered. @throws when one is refused */
  send(requests: string[], inFlight: number): Promise<void>
}

/** Starts a run whose process does nothing. */
export async function startReportedRun({ api, url }: BenchServer): Promise<ReportedRun> {
  const given = seed(api)
  const id = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  const headers = {
    'Content-Type': 'application/json',
    Authorization: `Bearer ${await accessTokenOf(url)}`,
  }

  async function sendOne(body: string): Promise<void> {
    const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body })
    const answer = await response.text()
    if (!answer.includes('"__typename":"Run"')) throw new Error(`A report was refused: ${answer}`)
  }

  return {
    id,
    prepare: (series) => JSON.stringify({ query: REPORT, variables: { input: { runId: id, series } } }),
    async send(requests, inFlight) {
      // One iterator for all: each takes the next that nobody has taken.
      const waiting = requests.values()
      const sender = async () => {
        for (const request of waiting) await sendOne(request)
      }
      await Promise.all(Array.from({ length: inFlight }, sender))
    },
  }
}

const REPORT = 'mutation ($input: LogMetricsInput!) { logMetrics(input: $input) { __typename } }'

/** What a training measures under a key from a step on: a loss that falls, with some noise. */
export function someColumns(key: string, firstStep: number, count: number): Columns {
  const steps = Array.from({ length: count }, (_, index) => firstStep + index)
  return { key, steps, values: steps.map((step) => Math.exp(-step / 100_000) + 0.01 * Math.random()) }
}
