import type { ExecutionReport } from '../execution/executor.ts'
import type { ExecutionReportInput } from '../generated/operations.ts'

/** The report of an execution that is over. */
export type EndReport = Exclude<ExecutionReport, { state: 'absent' | 'starting' | 'running' }>

/** Whether an execution is over, in whatever way. */
export function isEnd(report: ExecutionReport): report is EndReport {
  return !['absent', 'starting', 'running'].includes(report.state)
}

/** Files of an execution that were being written when they were killed, by their paths here. */
export function unfinishedFilesOf(report: EndReport): string[] {
  return 'cleanup' in report ? report.cleanup.unfinishedFiles : []
}

/** An execution that was to end before it was started. */
export function withdrawn(): EndReport {
  const now = new Date()
  return { state: 'withdrawn', termination: { requestedAt: now }, endedAt: now }
}

/** An execution of which nothing can be known. */
export function lost(reason: string): EndReport {
  return { state: 'lost', reason, termination: null, cleanup: { killed: false, unfinishedFiles: [] } }
}

/**
 * A report as the server takes it.
 *
 * @param relocate makes of a path here what it is called on the server
 */
export function toReportInput(
  report: EndReport | Extract<ExecutionReport, { state: 'running' }>,
  relocate: (path: string) => string,
): ExecutionReportInput {
  switch (report.state) {
    case 'running': {
      const { pid, supervised, startedAt } = report
      return { state: 'RUNNING', pid, supervised, startedAt: startedAt.toISOString() }
    }
    case 'exited':
      return {
        state: 'EXITED',
        exitCode: report.exitCode,
        signal: report.signal,
        startedAt: report.startedAt.toISOString(),
        endedAt: report.endedAt.toISOString(),
        ...endingOf(report, relocate),
      }
    case 'withdrawn':
      return {
        state: 'WITHDRAWN',
        endRequestedAt: report.termination.requestedAt.toISOString(),
        endedAt: report.endedAt.toISOString(),
      }
    case 'failed':
      return { state: 'FAILED', reason: report.reason, endedAt: report.endedAt.toISOString() }
    case 'lost':
      return { state: 'LOST', reason: report.reason, ...endingOf(report, relocate) }
  }
}

function endingOf(
  { termination, cleanup }: Extract<EndReport, { state: 'exited' | 'lost' }>,
  relocate: (path: string) => string,
): Pick<ExecutionReportInput, 'endRequestedAt' | 'killed' | 'unfinishedFiles'> {
  return {
    endRequestedAt: termination?.requestedAt.toISOString() ?? null,
    killed: cleanup.killed,
    unfinishedFiles: cleanup.unfinishedFiles.map(relocate),
  }
}
