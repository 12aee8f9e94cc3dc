import { setImmediate } from 'node:timers/promises'
import type { EnvironmentMarker } from '../executor.ts'
import { bootId, type ProcessIdentity } from './identity.ts'
import { CHUNK, listProcesses, type ProcessEntry, readProcFile } from './table.ts'

/** By what the processes of one execution are found. */
export interface TreeSeed {
  marker: EnvironmentMarker
  /** The command itself, leader of its own session and group; null when its identity is not known. */
  root: ProcessIdentity | null
  /**
   * Whether a session or group with the root's id still counts as the execution's after the root
   * has ended. True only for the root's parent, which asks at once: the system gives the id of a
   * living group to nobody, but once the group is empty, a stranger may get it.
   */
  rootJustEnded?: boolean
}

/** A process of an execution. */
export interface Member extends ProcessEntry {
  /** Whether its whole process group belongs to the execution, so that a signal to the group reaches nobody else. */
  ownsGroup: boolean
}

/**
 * Lists the living processes of one execution; see `createTree`. `onMarked` is told of those with the marker while
 * the table is still being read: who wants to signal something that lives for milliseconds cannot wait for the end.
 */
export type Tree = (onMarked?: (entry: ProcessEntry) => void) => Promise<Member[]>

/**
 * How often one answer looks for processes that have come since it began to look. Mostly the third time brings
 * nothing new; where processes are started all the time, an answer must come all the same. The list of ps is
 * of one moment.
 */
const MOST_LOOKS = process.platform === 'linux' ? 50 : 1

/**
 * The living processes of one execution, asked anew at each call. A process belongs to it when
 * - it is the root, or in the root's session or group,
 * - or its environment has the marker, which also finds what left the session and lost its parent,
 * - or an ancestor belongs to it, which also finds what was started with a clean environment,
 * - or it belonged to it at an earlier call: some programs overwrite their environment to show a
 *   title in ps, and would be lost when their parent ends.
 *
 * An empty answer means that there was a moment at which none was left, and so that none can come: what forks
 * and ends faster than the table of processes can be read does not slip through.
 *
 * This process itself never belongs to it, and neither does the first process of the machine. Outside
 * Linux environments cannot be read, so there only the root's group and descendants are found.
 */
export function createTree(seed: TreeSeed): Tree {
  const members = new Map<number, string>()
  const strangers = new Map<number, string>()

  return async (onMarked) => {
    const { everybody, marked } = await takeSnapshot(seed.marker, strangers, onMarked)
    const entries = everybody.filter(isCandidate)
    const belongs = new Set<number>(marked)
    for (const entry of entries) {
      if (members.get(entry.pid) === entry.startTime) belongs.add(entry.pid)
    }
    addRoot(seed, entries, belongs)
    addDescendants(entries, belongs)

    const ours = entries.filter(({ pid, ended }) => belongs.has(pid) && !ended)
    const others = everybody.filter(({ pid, ended }) => !belongs.has(pid) && !ended)
    const sharedGroups = new Set(others.map(({ group }) => group))
    members.clear()
    for (const entry of ours) members.set(entry.pid, entry.startTime)
    // Of another container it is told as 0; and to kill(2), 0 and -1 are whole crowds.
    const ownsGroup = ({ group }: ProcessEntry) => group > 1 && !sharedGroups.has(group)
    return ours.map((entry) => ({ ...entry, ownsGroup: ownsGroup(entry) }))
  }
}

/**
 * The table of processes, with those that have the marker. Looks again and again until nothing has come since the
 * look before, each time only at what is new: then everything that lives at that moment was looked at.
 *
 * @param strangers those whose environment is known to be without the marker; kept up to date
 */
async function takeSnapshot(
  marker: EnvironmentMarker,
  strangers: Map<number, string>,
  onMarked?: (entry: ProcessEntry) => void,
) {
  const seen = new Map<number, ProcessEntry>()
  const marked = new Set<number>()
  const unmarked = new Map<number, string>()
  for (let look = 1, isNews = true; look <= MOST_LOOKS && isNews; look++) {
    const fresh = await listProcesses(seen)
    // What seemed to have no environment is not counted as seen, so the second look is always worth while.
    isNews = look === 1
    for (const [index, entry] of fresh.entries()) {
      if (index % CHUNK === CHUNK - 1) await setImmediate()
      const { pid, startTime, ended } = entry
      if (!ended && strangers.get(pid) !== startTime) {
        const environment = readEnvironment(pid)
        // So it seems while a process changes to another program: it is looked at once more.
        if (environment === '' && look === 1 && MOST_LOOKS > 1) continue
        if (has(environment, marker) && isCandidate(entry)) {
          marked.add(pid)
          onMarked?.(entry)
        } else if (environment !== '') unmarked.set(pid, startTime)
      } else if (!ended) unmarked.set(pid, startTime)
      seen.set(pid, entry)
      isNews = true
    }
  }
  strangers.clear()
  for (const [pid, startTime] of unmarked) strangers.set(pid, startTime)
  return { everybody: [...seen.values()], marked }
}

/** Neither this process nor the first one belongs to any execution. */
const isCandidate = ({ pid }: ProcessEntry) => pid !== process.pid && pid !== 1

function readEnvironment(pid: number): string {
  return process.platform === 'linux' ? (readProcFile(`/proc/${pid}/environ`)?.toString() ?? '') : ''
}

function has(environment: string, { name, value }: EnvironmentMarker): boolean {
  return `\0${environment}\0`.includes(`\0${name}=${value}\0`)
}

function addRoot({ root, rootJustEnded }: TreeSeed, entries: ProcessEntry[], belongs: Set<number>): void {
  // Start times of an earlier boot say nothing now.
  if (!root || root.bootId !== bootId()) return
  const holder = entries.find((entry) => entry.pid === root.pid)
  const ours = holder ? holder.startTime === root.startTime : rootJustEnded
  if (!ours) return
  for (const entry of entries) {
    if (entry.pid === root.pid || entry.group === root.pid || entry.session === root.pid) {
      belongs.add(entry.pid)
    }
  }
}

function addDescendants(entries: ProcessEntry[], belongs: Set<number>): void {
  const children = Map.groupBy(entries, (entry) => entry.parent)
  const open = [...belongs]
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (belongs.has(child.pid)) continue
      belongs.add(child.pid)
      open.push(child.pid)
    }
  }
}
