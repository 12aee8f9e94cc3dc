import { setTimeout } from 'node:timers/promises'
import type { CleanupReport } from '../executor.ts'
import { bootId, isAlive } from './identity.ts'
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
/** How often a tree that goes on forking is looked at before what was stopped of it is killed. */
const MOST_LOOKS = 20

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
  for (const interval of intervals()) {
    const { stopped, missed } = await stop(tree)
    if (stopped.length === 0 && !missed) break
    for (const path of await openForWriting(stopped.map((member) => member.pid))) unfinishedFiles.add(path)
    for (const member of stopped) if (signal(member, 'SIGKILL') === 'sent') killed = true
    await setTimeout(interval)
  }
  return { killed, unfinishedFiles: [...unfinishedFiles].sort() }
}

/**
 * Stops what can be reached of a tree, and tells whether something may have escaped for now: what was forked
 * since the table was read is there at the next look, but a chain of short-lived processes may need many.
 */
async function stop(tree: Tree): Promise<{ stopped: ProcessEntry[]; missed: boolean }> {
  const stopped = new Map<string, ProcessEntry>()
  const stopOne = (entry: ProcessEntry): Sent => {
    const result = signal(entry, 'SIGSTOP')
    if (result === 'sent') stopped.set(nameOf(entry), entry)
    return result
  }
  for (let look = 0; look < MOST_LOOKS; look++) {
    const before = stopped.size
    const members = await tree((entry) => {
      if (!stopped.has(nameOf(entry))) stopOne(entry)
    })
    // All of a group at one moment, so that none of it is just being forked.
    for (const group of new Set(members.filter(({ ownsGroup }) => ownsGroup).map(({ group }) => group))) {
      send(-group, 'SIGSTOP')
    }
    const results = members.filter((member) => !stopped.has(nameOf(member))).map(stopOne)
    if (stopped.size === before && results.every((result) => result === 'refused')) {
      return { stopped: [...stopped.values()], missed: false }
    }
  }
  return { stopped: [...stopped.values()], missed: true }
}

function* intervals(): Generator<number, never> {
  for (let interval = 10; ; interval = Math.min(interval * 1.5, LONGEST_SCAN_INTERVAL)) yield interval
}

/** What became of a signal: a process that is refused is another user's, and so out of reach. */
type Sent = 'sent' | 'gone' | 'refused'

/** Sends a signal to exactly this process: its id may be another's since the table was read. */
function signal({ pid, startTime }: ProcessEntry, name: NodeJS.Signals): Sent {
  return isAlive({ pid, startTime, bootId: bootId() }) ? send(pid, name) : 'gone'
}

function send(target: number, name: NodeJS.Signals): Sent {
  try {
    process.kill(target, name)
    return 'sent'
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? 'refused' : 'gone'
  }
}

const nameOf = ({ pid, startTime }: ProcessEntry) => `${pid}/${startTime}`
