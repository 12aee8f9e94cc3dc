import type { ExecutionReport } from '../../../execution/executor.ts'
import type { RunStatus } from '../status.ts'

/** How a run ended, as its row will say it. */
export interface Outcome {
  status: Extract<RunStatus, 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'LOST'>
  statusReason: string | null
  exitCode: number | null
  startedAt: Date | null
  finishedAt: Date
  /** Files that were being written when they were killed. */
  unfinishedFiles: string[]
}

/** The report of an execution that is over. */
export type EndReport = Exclude<ExecutionReport, { state: 'absent' | 'starting' | 'running' }>

/** The longest part of an error line that a reason quotes. */
const MAX_QUOTE = 500

/**
 * What the end of an execution means for its run.
 *
 * @param lastErrorLine the last thing that the command said on stderr, quoted when it failed
 */
export function outcomeOf(report: EndReport, lastErrorLine: string | null, now: Date): Outcome {
  switch (report.state) {
    case 'failed':
      return end('FAILED', report.reason, report.endedAt)
    case 'withdrawn':
      return end('CANCELLED', 'Cancelled before its command was started.', report.endedAt)
    case 'lost':
      return report.termination
        ? end('CANCELLED', `Cancelled. ${report.reason}`, now, report.cleanup.unfinishedFiles)
        : end('LOST', report.reason, now, report.cleanup.unfinishedFiles)
    case 'exited': {
      const { exitCode, signal, startedAt, endedAt, termination, cleanup } = report
      const ended = { exitCode, startedAt, finishedAt: endedAt, unfinishedFiles: cleanup.unfinishedFiles }
      if (termination) {
        const killed = cleanup.killed
          ? 'Cancelled; what did not end within its grace was killed.'
          : 'Cancelled.'
        return { ...ended, status: 'CANCELLED', statusReason: killed }
      }
      if (exitCode === 0) return { ...ended, status: 'SUCCEEDED', statusReason: null }
      return {
        ...ended,
        status: 'FAILED',
        statusReason: quoting(howItEnded(exitCode, signal), lastErrorLine),
      }
    }
  }
}

function end(
  status: Outcome['status'],
  statusReason: string,
  finishedAt: Date,
  unfinishedFiles: string[] = [],
): Outcome {
  return { status, statusReason, exitCode: null, startedAt: null, finishedAt, unfinishedFiles }
}

function howItEnded(exitCode: number | null, signal: string | null): string {
  if (signal === null) return `The command ended with exit code ${exitCode}.`
  const hint = signal === 'SIGKILL' ? ' Nobody here did that: perhaps the machine ran out of memory.' : ''
  return `The command was ended by ${signal}.${hint}`
}

function quoting(reason: string, line: string | null): string {
  return line === null
    ? reason
    : `${reason} Its last words on stderr: ${line.slice(0, MAX_QUOTE).toWellFormed()}`
}
