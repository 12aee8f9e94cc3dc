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

/** Lists the living processes of one execution; see `createTree`. */
export type Tree = () => Promise<ProcessEntry[]>

/**
 * The living processes of one execution, asked anew at each call. A process belongs to it when
 * - it is the root, or in the root's session or group,
 * - or its environment has the marker, which also finds what left the session and lost its parent,
 * - or an ancestor belongs to it, which also finds what was started with a clean environment,
 * - or it belonged to it at an earlier call: some programs overwrite their environment to show a
 *   title in ps, and would be lost when their parent ends.
 *
 * This process itself never belongs to it, and neither does the first process of the machine. Outside
 * Linux environments cannot be read, so there only the root's group and descendants are found.
 */
export function createTree(seed: TreeSeed): Tree {
  const members = new Map<number, string>()

  return async () => {
    const entries = (await listProcesses()).filter((entry) => entry.pid !== process.pid && entry.pid !== 1)
    const belongs = new Set<number>()
    for (const entry of entries) {
      if (members.get(entry.pid) === entry.startTime) belongs.add(entry.pid)
    }
    addRoot(seed, entries, belongs)
    addDescendants(entries, belongs)
    await addMarked(seed.marker, entries, belongs)
    addDescendants(entries, belongs)

    const living = entries.filter((entry) => belongs.has(entry.pid) && !entry.ended)
    members.clear()
    for (const entry of living) members.set(entry.pid, entry.startTime)
    return living
  }
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

async function addMarked(
  marker: EnvironmentMarker,
  entries: ProcessEntry[],
  belongs: Set<number>,
): Promise<void> {
  if (process.platform !== 'linux') return
  const wanted = `\0${marker.name}=${marker.value}\0`
  let read = 0
  for (const entry of entries) {
    if (entry.ended || belongs.has(entry.pid)) continue
    if (++read % CHUNK === 0) await setImmediate()
    const environment = readProcFile(`/proc/${entry.pid}/environ`)
    if (environment?.length && `\0${environment.toString()}\0`.includes(wanted)) belongs.add(entry.pid)
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
