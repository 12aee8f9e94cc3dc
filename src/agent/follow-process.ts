import type { Logger } from 'pino'
import type { Executor } from '../execution/executor.ts'
import { watchFolder } from '../execution/output/wake-on-change.ts'
import type { ExecutionPlace } from './assignment.ts'
import type { Connection } from './connection.ts'
import { type EndReport, isEnd, toReportInput } from './end-report.ts'
import type { OrderInbox } from './order-inbox.ts'
import { openOutput } from './output.ts'

/** How often new output is looked for, in ms, where the operating system does not tell that there is more. */
const POLL_MS = 100
/** How long new output may wait for more, in ms: a process that prints all the time makes 20 calls a second. */
const PACE_MS = 50
/** How long to wait before asking again when the server took nothing of what it was given, in ms. */
const REFUSED_MS = 1000

const unchanged = (path: string) => path

/**
 * Tells the server that the process of an execution runs, and brings what it prints, one call at a time.
 *
 * @returns how it ended, once the server has all of its output
 */
export async function followProcess(
  { connection, executor, log }: { connection: Connection; executor: Executor; log: Logger },
  inbox: OrderInbox,
  place: ExecutionPlace,
  signal: AbortSignal,
): Promise<EndReport> {
  const { executionId } = inbox.order()
  const output = openOutput(place.process)
  const changes = watchFolder(place.process, (err) => {
    log.info({ err }, 'the output is polled: the system does not tell of changes')
  })
  let told = ''
  try {
    for (;;) {
      signal.throwIfAborted()
      // Asked before the output is read, so that once it is over everything was there to be read.
      const report = await executor.inspect(place.process)
      if (report.state === 'absent') throw new Error('The records of the process are gone.')
      const running = report.state === 'running' ? toReportInput(report, unchanged) : null
      const isNews = running !== null && JSON.stringify(running) !== told
      const { pieces, hasPieces, hasMore } = await output.next(inbox.offsets())
      if (hasPieces || isNews) {
        const before = inbox.offsets()
        const answer = await connection.report(
          { executionId, ...pieces, ...(isNews && { report: running }) },
          { signal },
        )
        inbox.answer(answer)
        if (running) told = JSON.stringify(running)
        const isTaken =
          answer.stdoutBytes > before.stdoutBytes || answer.stderrBytes > before.stderrBytes || !hasPieces
        if (!isTaken) await changes.wait({ paceMs: REFUSED_MS, pollMs: REFUSED_MS }, signal)
        else if (!hasMore) await changes.wait({ paceMs: PACE_MS, pollMs: POLL_MS }, signal)
      } else if (isEnd(report)) {
        return report
      } else {
        await changes.wait({ paceMs: PACE_MS, pollMs: POLL_MS }, signal)
      }
    }
  } finally {
    changes.close()
    await output.close()
  }
}
