import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { CleanupReport, LaunchSpec } from '../executor.ts'
import { type ProcessIdentity, processIdentity } from '../processes/identity.ts'
import { createFile, readFileIfAny, replaceFile } from './atomic-file.ts'

/**
 * The files of one execution's directory. They are the only way in which a supervisor, the server
 * and a later version of the server talk to each other: a run may outlive many upgrades, so fields
 * are added to these records but never change their meaning. Times are milliseconds since 1970.
 */
export const FILES = {
  /** What to start. */
  spec: 'spec.json',
  /** Who supervises: made once, and so the start of the command happens at most once. */
  supervisor: 'supervisor.json',
  /** What the supervisor started, and how it ended once it has. */
  process: 'process.json',
  /** The last word; nothing changes after it. */
  exit: 'exit.json',
  /** Who ends the processes after the supervisor was killed. */
  successor: 'successor.json',
  /** What the command prints, byte for byte. */
  stdout: 'stdout.log',
  stderr: 'stderr.log',
  /** What the supervisor itself has to say; empty unless something unexpected happened. */
  supervisorLog: 'supervisor.log',
} as const

/** What a supervisor exits with that found no room for its claim; nothing was started then. */
export const EXIT_DISK_FULL = 75

/** The content of supervisor.json and successor.json. */
export interface ClaimRecord {
  identity: ProcessIdentity
  claimedAt: number
}

/** How the command ended by itself or by a signal. */
export interface CommandEnd {
  exitCode: number | null
  signal: string | null
  endedAt: number
}

/** The content of process.json. */
export interface ProcessRecord {
  identity: ProcessIdentity
  startedAt: number
  end: CommandEnd | null
}

/** The content of exit.json. */
export type ExitRecord =
  | ({
      outcome: 'exited'
      startedAt: number
      termination: { requestedAt: number } | null
      cleanup: CleanupReport
    } & CommandEnd)
  | { outcome: 'withdrawn'; termination: { requestedAt: number }; endedAt: number }
  | { outcome: 'failed'; reason: string; endedAt: number }
  /** Written by a successor: it ended the processes, but could not learn the command's status. */
  | {
      outcome: 'lost'
      reason: string
      termination: { requestedAt: number } | null
      cleanup: CleanupReport
    }

/** The content of each file that has one, by the name of the file in FILES. */
interface Records {
  spec: LaunchSpec
  supervisor: ClaimRecord
  successor: ClaimRecord
  process: ProcessRecord
  exit: ExitRecord
}

/**
 * Reads one record; null when it was not written yet. Only this module's users write these files,
 * atomically, so their form is taken as given; what is no JSON at all is an error.
 */
export async function readRecord<Name extends keyof Records>(
  directory: string,
  name: Name,
): Promise<Records[Name] | null> {
  const path = join(directory, FILES[name])
  const text = await readFileIfAny(path)
  if (text === null) return null
  try {
    const record: Records[Name] = JSON.parse(text)
    return record
  } catch (error) {
    throw new Error(`${path} cannot be read`, { cause: error })
  }
}

/** Writes one record in place of an earlier one. */
export async function writeRecord<Name extends keyof Records>(
  directory: string,
  name: Name,
  record: Records[Name],
): Promise<void> {
  await replaceFile(join(directory, FILES[name]), `${JSON.stringify(record)}\n`)
}

/** Makes this process the one that the file names; false when the file exists already. */
export async function writeClaim(directory: string, name: 'supervisor' | 'successor'): Promise<boolean> {
  return createFile(join(directory, FILES[name]), `${JSON.stringify(claimOfThisProcess())}\n`)
}

/** What a claim of this process says. */
export function claimOfThisProcess(): ClaimRecord {
  const identity = processIdentity(process.pid)
  if (!identity) throw new Error('this process cannot find itself in the table of processes')
  return { identity, claimedAt: Date.now() }
}

/** Takes the logs out of a list of real paths: whoever holds them open is not writing a result. */
export async function withoutLogs(directory: string, paths: string[]): Promise<string[]> {
  const folder = await realpath(directory)
  return paths.filter((path) => path !== join(folder, FILES.stdout) && path !== join(folder, FILES.stderr))
}
