import { setTimeout } from 'node:timers/promises'
import type { CleanupReport } from '../executor.ts'
import { openForWriting } from './open-files.ts'
import type { ProcessEntry } from './table.ts'
import type { Tree } from './tree.ts'

/** How one execution is to be ended. The functions are asked again and again: their answers may change. */
export interface EndTreeOptions {
  tree: Tree
  /** Whether the command itself has ended. */
  rootEnded: () => boolean
  /** Milliseconds until what is left is killed. */
  remaining: () => number
}

/** How often the two questions are asked. They are answered from memory or one small file. */
const ASK_INTERVAL = 25
/** The table of processes is read more rarely the longer the end takes, from 10 ms on. */
const LONGEST_SCAN_INTERVAL = 500

/**
 * Ends every process of a tree and resolves when none is left, however long the system takes to
 * let go of it.
 *
 * First each process gets SIGTERM, once: many scripts take a second one as "now, at once". While
 * the command itself still runs, processes that it starts from then on get none, because they may be
 * what saves the last checkpoint; once it has ended, all that is left gets it. When no time
 * remains, the tree is stopped, so that it neither forks nor writes, the files that it holds open for
 * writing are noted, and it is killed.
 */
export async function endTree({ tree, rootEnded, remaining }: EndTreeOptions): Promise<CleanupReport> {
  const asked = new Set<string>()
  const askToEnd = (members: ProcessEntry[]) => {
    for (const member of members) {
      if (asked.has(nameOf(member))) continue
      asked.add(nameOf(member))
      signal(member, 'SIGTERM')
      if (member.stopped) signal(member, 'SIGCONT')
    }
  }

  if (remaining() > 0) askToEnd(await tree())
  while (!rootEnded() && remaining() > 0) await setTimeout(ASK_INTERVAL)
  for (const interval of intervals()) {
    if (remaining() <= 0) break
    const left = await tree()
    if (left.length === 0) return { killed: false, unfinishedFiles: [] }
    askToEnd(left)
    await setTimeout(Math.min(interval, Math.max(remaining(), 0)))
  }
  return kill(tree)
}

async function kill(tree: Tree): Promise<CleanupReport> {
  const unfinishedFiles = new Set<string>()
  let killed = false
  // Again and again: a process may have forked between the scan and its signal.
  for (const interval of intervals()) {
    const left = await tree()
    const reachable = left.filter((member) => signal(member, 'SIGSTOP'))
    if (reachable.length === 0) break
    for (const path of await openForWriting(reachable.map((member) => member.pid))) unfinishedFiles.add(path)
    for (const member of reachable) if (signal(member, 'SIGKILL')) killed = true
    await setTimeout(interval)
  }
  return { killed, unfinishedFiles: [...unfinishedFiles].sort() }
}

function* intervals(): Generator<number, never> {
  for (let interval = 10; ; interval = Math.min(interval * 1.5, LONGEST_SCAN_INTERVAL)) yield interval
}

/** False when the process has ended meanwhile, or is another user's and so out of reach. */
function signal(member: ProcessEntry, name: NodeJS.Signals): boolean {
  try {
    return process.kill(member.pid, name)
  } catch {
    return false
  }
}

const nameOf = (member: ProcessEntry) => `${member.pid}/${member.startTime}`
