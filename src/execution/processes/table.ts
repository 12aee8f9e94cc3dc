import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'

/** One row of the table of processes. */
export interface ProcessEntry {
  pid: number
  parent: number
  group: number
  session: number
  /** As in ProcessIdentity. */
  startTime: string
  /** A zombie: it runs no more, but its id stays taken until its parent asks for its status. */
  ended: boolean
  /** Stopped by a signal, so that it handles no other but SIGKILL until it is continued. */
  stopped: boolean
}

/**
 * The processes of this machine (of this container, where it runs in one), all or those that are not `known`
 * yet. Reading /proc is synchronous, which is some ten times cheaper than through the thread pool, but
 * pauses between chunks, so that a server with thousands of neighbours goes on answering.
 */
export async function listProcesses(known?: ReadonlyMap<number, unknown>): Promise<ProcessEntry[]> {
  if (process.platform !== 'linux') return (await listWithPs()).filter((entry) => !known?.has(entry.pid))
  const entries: ProcessEntry[] = []
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && !known?.has(Number(name)))
  for (const [index, name] of names.entries()) {
    if (index % CHUNK === CHUNK - 1) await setImmediate()
    const text = readProcFile(`/proc/${name}/stat`)
    if (text) entries.push(parseStat(text.toString('latin1')))
  }
  return entries
}

/** How many processes are read before others get their turn: about 2 ms. */
export const CHUNK = 64

/**
 * A file of a process in /proc; null when the process has ended meanwhile or belongs to somebody
 * else, whose processes cannot be signalled either.
 */
export function readProcFile(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && UNREADABLE.has(String(error.code))) return null
    throw error
  }
}

const UNREADABLE = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

/**
 * One line of /proc/PID/stat: proc_pid_stat(5). The second field is the name of the program in
 * parentheses and may hold any character, so the others are counted from the last parenthesis.
 */
export function parseStat(text: string): ProcessEntry {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state = '', parent, group, session] = fields
  return {
    pid: Number.parseInt(text, 10),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: fields[19] ?? '',
    ended: state === 'Z' || state === 'X',
    stopped: state === 'T',
  }
}

/** For ps, outside Linux: one language and one time zone, so that a start time always reads the same. */
export const PS_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' }

const run = promisify(execFile)

async function listWithPs(): Promise<ProcessEntry[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,pgid=,state=,lstart='], {
    env: PS_ENVIRONMENT,
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent, group, state = '', ...start] = line.trim().split(/\s+/)
    if (!pid || start.length === 0) return []
    return {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      // Not every ps tells the session's number; the group is the next best.
      session: Number(group),
      startTime: start.join(' '),
      ended: state.startsWith('Z'),
      stopped: state.startsWith('T'),
    }
  })
}
