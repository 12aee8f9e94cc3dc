import type { Logger } from 'pino'
import type { Executor } from '../execution/executor.ts'
import { watchFolder } from '../execution/output/wake-on-change.ts'
import type { ExecutionReportInput } from '../generated/operations.ts'
import type { ExecutionPlace } from './assignment.ts'
import type { Connection } from './connection.ts'
import { type EndReport, isEnd, toReportInput } from './end-report.ts'
import type { OrderInbox } from './order-inbox.ts'
import { LARGEST_PIECE_BYTES, type OutputNews, openOutput } from './output.ts'

/** How often new output is looked for, in ms, where the operating system does not tell that there is more. */
const POLL_MS = 100
/** How long new output may wait for more, in ms: a process that prints all the time makes 20 calls a second. */
const PACE_MS = 50
/** How long to wait before asking again when the server took nothing of what it was given, in ms. */
const REFUSED_MS = 1000

/** What gets through where hardly anything does, in bytes. */
const SMALLEST_PIECE_BYTES = 4096

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
  let pieceBytes = LARGEST_PIECE_BYTES

  async function tell(pieces: OutputNews['pieces'], report: ExecutionReportInput | null) {
    let attempts = 0
    const nextInput = async () => {
      if (attempts++ === 0) return { executionId, report, ...pieces }
      // What did not get through in time may have been too much for the network.
      pieceBytes = Math.max(SMALLEST_PIECE_BYTES, pieceBytes / 4)
      return { executionId, report, ...(await output.next(inbox.offsets(), pieceBytes)).pieces }
    }
    const answer = await connection.report(nextInput, { signal })
    if (attempts === 1) pieceBytes = Math.min(LARGEST_PIECE_BYTES, pieceBytes * 2)
    return answer
  }

  try {
    for (;;) {
      signal.throwIfAborted()
      // Asked before the output is read, so that once it is over everything was there to be read.
      const report = await executor.inspect(place.process)
      if (report.state === 'absent') throw new Error('The records of the process are gone.')
      const running = report.state === 'running' ? toReportInput(report, unchanged) : null
      const isNews = running !== null && JSON.stringify(running) !== told
      const { pieces, hasPieces, hasMore } = await output.next(inbox.offsets(), pieceBytes)
      if (hasPieces || isNews) {
        const before = inbox.offsets()
        const answer = await tell(pieces, isNews ? running : null)
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
