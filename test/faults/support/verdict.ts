import type { StoredRun } from './stored-runs.ts'
import type { Evidence } from './witness.ts'

/** What was asked of a run. */
export interface Request {
  exitCode: number
  /** Whether somebody asked for its cancel, acknowledged or not. */
  cancelled: boolean
}

/** How far what the supervisor saw may be from what the script saw, in ms; much less than servers are away. */
const TOLERANCE_MS = 1000

/** How what the server says of a run that is over differs from what the run itself wrote down; empty is well. */
export function differences(run: StoredRun, evidence: Evidence, request: Request): string[] {
  const { starts, term, end } = evidence
  const found: string[] = []
  const expect = (holds: boolean, otherwise: string) => {
    if (!holds) found.push(`${run.id}: ${otherwise}: ${JSON.stringify({ run, evidence, request })}`)
  }
  const [start] = starts
  expect(starts.length < 2, `started ${starts.length} times`)
  if (!start) {
    expect(request.cancelled && run.status === 'CANCELLED', 'never started, though nobody cancelled it')
    expect(run.startedAt === null && run.exitCode === null, 'said to have run, though it never did')
    return found
  }
  expect(isNear(run.startedAt, start.at), 'the start is told wrongly')
  expect(end !== null, 'it was killed')
  if (!end) return found
  expect(isNear(run.finishedAt, end.at), 'the end is told wrongly')
  expect(run.exitCode === end.exitCode, 'the exit code is told wrongly')
  if (term === null) {
    const natural = request.exitCode === 0 ? 'SUCCEEDED' : 'FAILED'
    // A cancel that came at the very end, when the script had nothing to do any more.
    const justCancelled = request.cancelled && run.status === 'CANCELLED'
    expect(end.exitCode === request.exitCode, 'it ended otherwise than it was to')
    expect(run.status === natural || justCancelled, 'the status is wrong')
  } else {
    expect(request.cancelled, 'it got a SIGTERM that nobody asked for')
    expect(run.status === 'CANCELLED', 'the status is wrong')
  }
  return found
}

function isNear(told: string | null | undefined, at: number): boolean {
  return told != null && Math.abs(Date.parse(told) - at) <= TOLERANCE_MS
}

/** By how much the server's time of the end differs from the script's own, in ms; 0 where there is none. */
export function endError(run: StoredRun, { end }: Evidence): number {
  return end && run.finishedAt ? Math.abs(Date.parse(run.finishedAt) - end.at) : 0
}
