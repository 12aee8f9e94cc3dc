import type { CleanupReport } from '../executor.ts'
import { endTree } from '../processes/end-tree.ts'
import { isAlive } from '../processes/identity.ts'
import { createTree } from '../processes/tree.ts'
import { durably } from './durably.ts'
import { openInbox } from './inbox.ts'
import { lostReason } from './lost.ts'
import {
  type ClaimRecord,
  claimOfThisProcess,
  type ExitRecord,
  type ProcessRecord,
  readRecord,
  withoutLogs,
  writeClaim,
  writeRecord,
} from './records.ts'
import { remainingGrace, type TerminationRequest, terminationBefore } from './termination-request.ts'

/**
 * Carries out a requested termination in place of a supervisor that was killed: the same work, but
 * the command's status is only told to its parent, so mostly the result is lost. Signals nothing that
 * is not proven to belong to the execution. Does nothing while another successor is at work.
 */
export async function succeed(directory: string): Promise<void> {
  const inbox = openInbox(directory)
  const spec = await readRecord(directory, 'spec')
  const supervisor = await readRecord(directory, 'supervisor')
  if (!spec || !supervisor || isAlive(supervisor.identity) || !(await claim(directory))) return
  await inbox.check()
  const request = inbox.current()
  if (!request || (await readRecord(directory, 'exit'))) return

  const started = await readRecord(directory, 'process')
  const root = started?.identity ?? null
  const cleanup = await endTree({
    tree: createTree({ marker: spec.marker, root }),
    rootEnded: () => root === null || !isAlive(root),
    remaining: () => remainingGrace(inbox.current() ?? request),
  })
  cleanup.unfinishedFiles = await withoutLogs(directory, cleanup.unfinishedFiles)
  const result = resultOf(supervisor, started, inbox.current() ?? request, cleanup)
  await durably('recording the result', () => writeRecord(directory, 'exit', result))
}

/**
 * Two callers that find a dead successor at the same moment may both follow it. That is harmless: the
 * processes get a second SIGTERM.
 */
async function claim(directory: string): Promise<boolean> {
  if (await writeClaim(directory, 'successor')) return true
  const holder = await readRecord(directory, 'successor')
  if (holder && isAlive(holder.identity)) return false
  await writeRecord(directory, 'successor', claimOfThisProcess())
  return true
}

function resultOf(
  supervisor: ClaimRecord,
  started: ProcessRecord | null,
  request: TerminationRequest,
  cleanup: CleanupReport,
): ExitRecord {
  if (started?.end) {
    const { startedAt, end } = started
    const termination = terminationBefore(end.endedAt, request)
    return { outcome: 'exited', startedAt, ...end, termination, cleanup }
  }
  const reason = lostReason(supervisor, started)
  return { outcome: 'lost', reason, termination: { requestedAt: request.requestedAt }, cleanup }
}
