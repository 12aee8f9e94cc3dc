import type { ExecutionReport, TerminationReport } from '../executor.ts'
import { isAlive } from '../processes/identity.ts'
import { createTree, type Tree } from '../processes/tree.ts'
import { lostReason } from '../supervisor/lost.ts'
import { type ClaimRecord, type ExitRecord, readRecord } from '../supervisor/records.ts'
import { readTerminationRequest, terminationBefore } from '../supervisor/termination-request.ts'

/** What the records in a directory and the table of processes say together. */
export async function inspectDirectory(directory: string): Promise<ExecutionReport> {
  const exit = await readRecord(directory, 'exit')
  if (exit) return reportExit(exit)
  const supervisor = await readRecord(directory, 'supervisor')
  if (!supervisor) return { state: 'absent' }
  const supervised = isAlive(supervisor.identity)
  if (!supervised) return inspectOrphan(directory, supervisor)
  const started = await readRecord(directory, 'process')
  return started ? running(started.identity.pid, started.startedAt, supervised) : { state: 'starting' }
}

/** The processes of an execution, by what its records say of them; null when it was never launched. */
export async function treeOf(directory: string): Promise<Tree | null> {
  const spec = await readRecord(directory, 'spec')
  const started = await readRecord(directory, 'process')
  return spec && createTree({ marker: spec.marker, root: started?.identity ?? null })
}

/** The supervisor is dead, so nothing is recorded any more, except the end by a successor. */
async function inspectOrphan(directory: string, supervisor: ClaimRecord): Promise<ExecutionReport> {
  const started = await readRecord(directory, 'process')
  const startedAt = started?.startedAt ?? supervisor.claimedAt
  if (started && isAlive(started.identity)) return running(started.identity.pid, startedAt, false)

  // In this order: who empties the tree has claimed that before, and writes the result before it ends.
  const tree = await treeOf(directory)
  const [survivor] = (await tree?.()) ?? []
  const successor = await readRecord(directory, 'successor')
  const succeeded = successor !== null && isAlive(successor.identity)
  const exit = await readRecord(directory, 'exit')
  if (exit) return reportExit(exit)
  const pid = survivor?.pid ?? (succeeded ? started?.identity.pid : undefined)
  if (pid !== undefined) return running(pid, startedAt, false)

  const request = await readTerminationRequest(directory)
  const cleanup = { killed: false, unfinishedFiles: [] }
  if (started?.end) {
    const termination = terminationBefore(started.end.endedAt, request)
    return reportExit({ outcome: 'exited', startedAt, ...started.end, termination, cleanup })
  }
  const termination = request && { requestedAt: request.requestedAt }
  return reportExit({ outcome: 'lost', reason: lostReason(supervisor, started), termination, cleanup })
}

function running(pid: number, startedAt: number, supervised: boolean): ExecutionReport {
  return { state: 'running', pid, startedAt: new Date(startedAt), supervised }
}

function reportExit(exit: ExitRecord): ExecutionReport {
  switch (exit.outcome) {
    case 'exited':
      return {
        state: 'exited',
        exitCode: exit.exitCode,
        signal: exit.signal,
        startedAt: new Date(exit.startedAt),
        endedAt: new Date(exit.endedAt),
        termination: reportTermination(exit.termination),
        cleanup: exit.cleanup,
      }
    case 'withdrawn': {
      const termination = { requestedAt: new Date(exit.termination.requestedAt) }
      return { state: 'withdrawn', termination, endedAt: new Date(exit.endedAt) }
    }
    case 'failed':
      return { state: 'failed', reason: exit.reason, endedAt: new Date(exit.endedAt) }
    case 'lost': {
      const { reason, cleanup } = exit
      return { state: 'lost', reason, termination: reportTermination(exit.termination), cleanup }
    }
  }
}

function reportTermination(termination: { requestedAt: number } | null): TerminationReport | null {
  return termination && { requestedAt: new Date(termination.requestedAt) }
}
