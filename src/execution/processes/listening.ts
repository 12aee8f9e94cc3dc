import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { CHUNK, listProcesses, type ProcessEntry, readProcFile } from './table.ts'

/** The state of a socket that listens, in /proc/net/tcp. */
const LISTEN = '0A'

/**
 * The processes that hold a socket which listens on a TCP port. Those of others, whose files may not be read, and
 * those outside Linux are not seen.
 */
export async function listenersOn(port: number): Promise<ProcessEntry[]> {
  if (process.platform !== 'linux') return []
  const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => socketsIn(table, port)))
  if (sockets.size === 0) return []
  const holders: ProcessEntry[] = []
  for (const [index, entry] of (await listProcesses()).entries()) {
    if (index % CHUNK === CHUNK - 1) await setImmediate()
    if (!entry.ended && filesOf(entry.pid).some((file) => sockets.has(file))) holders.push(entry)
  }
  return holders
}

/** proc_pid_net(5): the second field is the address, the fourth the state, the tenth the inode. */
function socketsIn(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readProcFile(table)?.toString('latin1').split('\n') ?? []
  return lines.flatMap((line) => {
    const [, address, , state, , , , , , inode] = line.trim().split(/\s+/)
    return address?.endsWith(suffix) && state === LISTEN ? `socket:[${inode}]` : []
  })
}

function filesOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  try {
    return readdirSync(folder).map((fd) => linkOf(`${folder}/${fd}`))
  } catch {
    // The process has ended meanwhile, or is another user's.
    return []
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
