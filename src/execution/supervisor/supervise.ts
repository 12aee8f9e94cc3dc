import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { endTree } from '../processes/end-tree.ts'
import { createTree } from '../processes/tree.ts'
import { hasCode } from './atomic-file.ts'
import { type Command, StartError, startCommand } from './command.ts'
import { durably } from './durably.ts'
import { type Inbox, openInbox } from './inbox.ts'
import { type ExitRecord, FILES, readRecord, withoutLogs, writeClaim, writeRecord } from './records.ts'
import { remainingGrace, terminationBefore } from './termination-request.ts'

/**
 * How long processes that a command left behind may take to end, in milliseconds. A run owns its
 * processes: one that went on would hold a GPU that the server thinks free.
 */
const LEFTOVER_GRACE = 5_000

/**
 * The whole life of one execution: starts its command, waits for the command's end or a request to
 * terminate, ends what is left of the tree, and records the result. Does nothing when the directory
 * has had a supervisor before.
 *
 * How the command ended is recorded at once in process.json; exit.json follows when no process is
 * left, so that who reads it may use the GPU and the files again.
 */
export async function supervise(directory: string): Promise<void> {
  // Before the claim, which is what tells others that they may send signals.
  const inbox = openInbox(directory)
  if (!(await writeClaim(directory, 'supervisor'))) return
  const exit = await run(directory, inbox)
  await durably('recording the result', () => writeRecord(directory, 'exit', exit))
}

async function run(directory: string, inbox: Inbox): Promise<ExitRecord> {
  const spec = await readRecord(directory, 'spec')
  if (!spec) return failed('there is no description of what to start')
  await durably('making the logs', () => makeLogs(directory))
  await inbox.check()
  const request = inbox.current()
  if (request) {
    const termination = { requestedAt: request.requestedAt }
    return { outcome: 'withdrawn', termination, endedAt: Date.now() }
  }
  let command: Command
  try {
    command = await startCommand(spec)
  } catch (error) {
    if (error instanceof StartError) return failed(error.message)
    throw error
  }
  const recorded = recordProcess(directory, command)
  await Promise.race([command.ended, inbox.first])

  const cleanup = await endTree({
    tree: createTree({ marker: spec.marker, root: command.identity, rootJustEnded: true }),
    rootEnded: () => command.end() !== null,
    remaining: () => remaining(command, inbox),
  })
  // The tree is empty; what is missing is only that the system tells the status, and the records.
  const end = await command.ended
  await recorded
  await inbox.check()
  cleanup.unfinishedFiles = await withoutLogs(directory, cleanup.unfinishedFiles)
  const termination = terminationBefore(end.endedAt, inbox.current())
  return { outcome: 'exited', startedAt: command.startedAt, ...end, termination, cleanup }
}

/** Makes the logs while there is room for them. @throws only when there is none; the start reports all else */
async function makeLogs(directory: string): Promise<void> {
  for (const name of [FILES.stdout, FILES.stderr]) {
    try {
      const file = await open(join(directory, name), 'a', 0o640)
      await file.close()
    } catch (error) {
      if (hasCode(error, 'ENOSPC')) throw error
    }
  }
}

/** Milliseconds until what is left is killed: as requested, and soon once the command ended by itself. */
function remaining(command: Command, inbox: Inbox): number {
  const request = inbox.current()
  const end = command.end()
  const requested = request ? remainingGrace(request) : Number.POSITIVE_INFINITY
  return end && !terminationBefore(end.endedAt, request)
    ? Math.min(requested, end.endedAt + LEFTOVER_GRACE - Date.now())
    : requested
}

/**
 * Records what was started, and how it ended as soon as it has. In the background: a full disk must
 * not keep the processes from being ended.
 */
async function recordProcess(directory: string, command: Command): Promise<void> {
  const { identity, startedAt, end } = command
  const record = () => writeRecord(directory, 'process', { identity, startedAt, end: end() })
  await durably('recording the start', record)
  await command.ended
  await durably('recording the status', record)
}

function failed(reason: string): ExitRecord {
  return { outcome: 'failed', reason, endedAt: Date.now() }
}
