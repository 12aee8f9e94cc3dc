import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { mem } from 'systeminformation'

/** The memory that a process may use. */
export interface Memory {
  totalBytes: number
  /** What new work could have of it, with the caches that would make room. */
  availableBytes: number
}

/** Where Linux shows control groups. */
const CGROUPS = '/sys/fs/cgroup'
const OWN_CGROUPS = '/proc/self/cgroup'

/** The memory of this machine, or what the limit of a container that this process runs in leaves of it. */
export async function readMemory(): Promise<Memory> {
  const { total, available } = await mem()
  const machine = { totalBytes: total, availableBytes: available }
  // Node asks the same control groups, at once: where it finds no limit, a dozen small files need not be read.
  const limit = process.constrainedMemory()
  if (limit === 0 || limit >= total) return machine
  return withinLimit(machine, await readLimit())
}

/** What a limit leaves of the memory of a machine. */
export function withinLimit(machine: Memory, limit: Memory | null): Memory {
  if (!limit || limit.totalBytes >= machine.totalBytes) return machine
  return {
    totalBytes: limit.totalBytes,
    availableBytes: Math.min(limit.availableBytes, machine.availableBytes),
  }
}

/**
 * The lowest memory limit of the control groups that this process is in, and what is left of it; null without one.
 * Files that are cached count as available: the kernel drops them before it refuses anything.
 *
 * @param ownCgroups the file that tells the groups of the process
 * @param root where control groups lie
 */
export async function readLimit(ownCgroups = OWN_CGROUPS, root = CGROUPS): Promise<Memory | null> {
  const groups = await readText(ownCgroups)
  const limits = await Promise.all([
    ...foldersOf(/^0::(.*)$/m.exec(groups)?.[1]).map((folder) => readVersion2(join(root, folder))),
    ...foldersOf(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1]).map((folder) =>
      readVersion1(join(root, 'memory', folder)),
    ),
  ])
  return limits
    .filter((limit) => limit !== null)
    .reduce<Memory | null>(
      (least, limit) => (least && least.totalBytes <= limit.totalBytes ? least : limit),
      null,
    )
}

/**
 * A group and those that it is in, to the root. A container may not see its own folder under the name that it has
 * outside, but at the root.
 */
function foldersOf(group: string | undefined): string[] {
  if (group === undefined) return []
  const outer = dirname(group)
  return outer === group ? [group] : [group, ...foldersOf(outer)]
}

async function readVersion2(folder: string): Promise<Memory | null> {
  const max = await readText(join(folder, 'memory.max'))
  if (!/^\d+\s*$/.test(max)) return null
  return toMemory(Number(max), join(folder, 'memory.current'), join(folder, 'memory.stat'), 'inactive_file')
}

async function readVersion1(folder: string): Promise<Memory | null> {
  const max = await readText(join(folder, 'memory.limit_in_bytes'))
  // Without a limit it says the largest number there is, rounded to pages.
  if (!/^\d+\s*$/.test(max) || Number(max) > Number.MAX_SAFE_INTEGER) return null
  return toMemory(
    Number(max),
    join(folder, 'memory.usage_in_bytes'),
    join(folder, 'memory.stat'),
    'total_inactive_file',
  )
}

async function toMemory(limit: number, usage: string, statistics: string, cached: string): Promise<Memory> {
  const [used, counts] = await Promise.all([readText(usage), readText(statistics)])
  const droppable = Number(new RegExp(`^${cached} (\\d+)$`, 'm').exec(counts)?.[1] ?? 0)
  const taken = Math.max(0, (Number(used) || 0) - droppable)
  return { totalBytes: limit, availableBytes: Math.max(0, limit - taken) }
}

/** What a file holds; nothing when it cannot be read. */
function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
