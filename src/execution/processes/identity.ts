import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type ProcessEntry, PS_ENVIRONMENT, parseStat, readProcFile } from './table.ts'

/**
 * One process for good. Process ids are used again, so a stored id alone may name a stranger; with
 * its start and the boot of the machine it names one process or none.
 */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's own notation (Linux: clock ticks since boot). Only to be compared. */
  startTime: string
  /** The boot of the machine that the start time refers to. */
  bootId: string
}

/** The identity of the process that has this id now; null when there is none. A zombie still has one. */
export function processIdentity(pid: number): ProcessIdentity | null {
  const startTime = process.platform === 'linux' ? linuxStat(pid)?.startTime : psField(pid, 'lstart')
  return startTime ? { pid, startTime, bootId: bootId() } : null
}

/**
 * Whether exactly this process still runs. False for a later process with the same id, and for a
 * zombie: it has ended, and only waits for a parent that may never ask for its status.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== bootId()) return false
  if (process.platform === 'linux') {
    const stat = linuxStat(identity.pid)
    return stat !== null && stat.startTime === identity.startTime && !stat.ended
  }
  const startTime = psField(identity.pid, 'lstart')
  return startTime === identity.startTime && !psField(identity.pid, 'state')?.startsWith('Z')
}

/** Tells one boot of this machine from another. Constant outside Linux, where start times are dates. */
export function bootId(): string {
  knownBootId ??=
    process.platform === 'linux' ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : 'any'
  return knownBootId
}

let knownBootId: string | undefined

function linuxStat(pid: number): ProcessEntry | null {
  const text = readProcFile(`/proc/${pid}/stat`)
  return text && parseStat(text.toString('latin1'))
}

function psField(pid: number, field: 'lstart' | 'state'): string | null {
  try {
    const options = { encoding: 'utf8', env: PS_ENVIRONMENT } as const
    return execFileSync('ps', ['-o', `${field}=`, '-p', String(pid)], options).trim() || null
  } catch {
    // ps answers with status 1 when there is no such process.
    return null
  }
}
