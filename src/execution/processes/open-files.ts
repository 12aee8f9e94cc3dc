import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { readProcFile } from './table.ts'
import { createTree, type TreeSeed } from './tree.ts'

/**
 * Regular files that processes hold open for writing now: absolute paths without links, sorted. The
 * processes are given by their ids, or as the tree of an execution. A file that was mapped into
 * memory and then closed is not seen. Outside Linux nothing is known, and the list is empty.
 */
export async function openForWriting(processes: readonly number[] | TreeSeed): Promise<string[]> {
  if (process.platform !== 'linux') return []
  const pids = 'marker' in processes ? (await createTree(processes)()).map((entry) => entry.pid) : processes
  const paths = new Set(pids.flatMap(filesOf))
  return [...paths].sort()
}

function filesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return (ifStillThere(() => readdirSync(folder)) ?? []).flatMap((fd) => {
    if (!isForWriting(pid, fd)) return []
    const path = ifStillThere(() => readlinkSync(`${folder}/${fd}`))
    if (!path?.startsWith('/')) return []
    // statSync follows the link to the open file itself, whatever the path leads to by now.
    const file = ifStillThere(() => statSync(`${folder}/${fd}`))
    // Without a name it was deleted, and nobody can find it half-written.
    return file?.isFile() && file.nlink > 0 ? [path] : []
  })
}

/** proc_pid_fdinfo(5): the flags of open(2) in octal; the last two bits are 0 for reading only. */
function isForWriting(pid: number, fd: string): boolean {
  const flags = readProcFile(`/proc/${pid}/fdinfo/${fd}`)
    ?.toString()
    .match(/^flags:\s*([0-7]+)/m)?.[1]
  return flags !== undefined && (Number.parseInt(flags, 8) & 0o3) !== 0
}

function ifStillThere<Value>(read: () => Value): Value | null {
  try {
    return read()
  } catch {
    // The process ended or closed the file meanwhile, or is another user's.
    return null
  }
}
