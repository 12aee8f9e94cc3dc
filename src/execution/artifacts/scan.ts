import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { lstat, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ArtifactType,
  isCheckpointFolder,
  isIgnored,
  isInProgress,
  stepOfName,
  toStep,
  typeOfFile,
} from './classify.ts'

/** A file, or a checkpoint's folder, that may become an artifact of a run. */
export type Candidate = {
  /** The path below the output folder, with `/` between its parts. */
  readonly name: string
  /** The path in the filesystem. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  readonly type: ArtifactType
  /** The training step that a checkpoint was made at. */
  readonly step: number | null
  /** Of a folder: of all its files. */
  readonly sizeBytes: number
  /** Changes when a file that belongs to it changes its size, time, inode or name, or comes or goes. */
  readonly fingerprint: string
  /** The paths in the filesystem of the files that belong to it, in the order of their names. */
  readonly files: readonly string[]
}

/** Why something below the output folder was left out of a scan. */
export type SkipReason = 'ENTRY_LIMIT' | 'DEPTH_LIMIT' | NodeJS.ErrnoException

/** How far {@link scanOutput} looks. */
export type ScanOptions = {
  /**
   * How many folders deep. Trainers go three or four deep; more is a mistake of the script.
   * @default 8
   */
  readonly maxDepth?: number
  /**
   * How many files and folders are looked at altogether, so that a script which writes a file per sample
   * cannot keep the server busy. What comes behind it is not found; which that is, the filesystem decides.
   * @default 10_000
   */
  readonly maxEntries?: number
  /** Told what was left out because of a limit, or because it could not be read; the scan goes on. */
  readonly onSkip?: (path: string, reason: SkipReason) => void
}

/** `global_step` stands before the long history in a trainer_state.json. */
const TRAINER_STATE_HEAD = 65_536
const GLOBAL_STEP = /"global_step"\s*:\s*(\d{1,15})/

/**
 * What lies under a run's output folder and may become an artifact, in the order of the names: every checkpoint's
 * folder as one, and every other file on its own. Hidden files, locks, caches, files that are named as
 * unfinished and whatever is neither a file nor a folder are left out; symbolic links are not followed.
 * A folder that does not exist holds nothing.
 */
export async function scanOutput(root: string, options: ScanOptions = {}): Promise<Candidate[]> {
  const { maxDepth = 8, maxEntries = 10_000, onSkip = () => {} } = options
  const candidates: Candidate[] = []
  let entriesLeft = maxEntries

  /** The entries of a folder by name; null where they are not all there is. */
  async function list(path: string): Promise<{ names: string[]; complete: boolean }> {
    const names: string[] = []
    try {
      for await (const entry of await opendir(path)) {
        if (entriesLeft === 0) {
          onSkip(path, 'ENTRY_LIMIT')
          return { names: names.sort(), complete: false }
        }
        entriesLeft--
        names.push(entry.name)
      }
    } catch (error) {
      skip(path, error)
      return { names: names.sort(), complete: false }
    }
    return { names: names.sort(), complete: true }
  }

  async function stat(path: string): Promise<BigIntStats | null> {
    try {
      return await lstat(path, { bigint: true })
    } catch (error) {
      skip(path, error)
      return null
    }
  }

  /** A script may delete what it wrote at any time: only other errors are worth a word. */
  function skip(path: string, error: unknown): void {
    if (!isErrno(error)) throw error
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') onSkip(path, error)
  }

  async function walk(path: string, name: string, depth: number): Promise<void> {
    if (depth > maxDepth) return onSkip(path, 'DEPTH_LIMIT')
    for (const entry of (await list(path)).names) {
      if (isIgnored(entry)) continue
      const below = { path: join(path, entry), name: name === '' ? entry : `${name}/${entry}` }
      const stats = await stat(below.path)
      if (stats === null) continue
      if (stats.isFile()) candidates.push(fileCandidate(below.path, below.name, entry, stats))
      else if (!stats.isDirectory()) continue
      else if (isCheckpointFolder(entry)) await addCheckpoint(below.path, below.name, entry, depth + 1)
      else await walk(below.path, below.name, depth + 1)
    }
  }

  /** A checkpoint that could not be listed whole is left out: nobody could tell whether it is complete. */
  async function addCheckpoint(path: string, name: string, entry: string, depth: number): Promise<void> {
    const content: Content = { files: [], sizeBytes: 0n, lines: [] }
    if (!(await collect(path, '', depth, content)) || content.files.length === 0) return
    candidates.push({
      name,
      path,
      kind: 'folder',
      type: 'CHECKPOINT',
      step: stepOfName(entry) ?? (await stepOfTrainerState(join(path, 'trainer_state.json'))),
      sizeBytes: Number(content.sizeBytes),
      fingerprint: digest(content.lines),
      files: content.files,
    })
  }

  async function collect(path: string, name: string, depth: number, content: Content): Promise<boolean> {
    if (depth > maxDepth) {
      onSkip(path, 'DEPTH_LIMIT')
      return false
    }
    const { names, complete } = await list(path)
    if (!complete) return false
    for (const entry of names) {
      const unfinished = isInProgress(entry)
      if (isIgnored(entry) && !unfinished) continue
      const stats = await stat(join(path, entry))
      if (stats === null) continue
      // What is being written belongs to no artifact, but keeps the checkpoint from being complete.
      if (stats.isFile()) content.lines.push(identity(`${name}${entry}`, stats))
      if (unfinished) continue
      if (stats.isFile()) {
        content.files.push(join(path, entry))
        content.sizeBytes += stats.size
      } else if (stats.isDirectory()) {
        if (!(await collect(join(path, entry), `${name}${entry}/`, depth + 1, content))) return false
      }
    }
    return true
  }

  await walk(root, '', 1)
  return candidates
}

type Content = { files: string[]; sizeBytes: bigint; lines: string[] }

function fileCandidate(path: string, name: string, entry: string, stats: BigIntStats): Candidate {
  const type = typeOfFile(entry)
  return {
    name,
    path,
    kind: 'file',
    type,
    step: type === 'CHECKPOINT' ? stepOfName(entry) : null,
    sizeBytes: Number(stats.size),
    fingerprint: digest([identity(entry, stats)]),
    files: [path],
  }
}

function identity(name: string, stats: BigIntStats): string {
  return `${name}\0${stats.size}\0${stats.mtimeNs}\0${stats.ino}`
}

function digest(lines: string[]): string {
  return createHash('sha256').update(lines.join('\0\0')).digest('base64url').slice(0, 27)
}

/** The step in the state that Hugging Face's Trainer saves beside a checkpoint; null without one. */
async function stepOfTrainerState(path: string): Promise<number | null> {
  try {
    await using file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TRAINER_STATE_HEAD), 0, TRAINER_STATE_HEAD, 0)
    const digits = GLOBAL_STEP.exec(buffer.toString('latin1', 0, bytesRead))?.[1]
    return digits === undefined ? null : toStep(digits)
  } catch (error) {
    if (isErrno(error)) return null // Not there, or not readable: the step is not known.
    throw error
  }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error
}
