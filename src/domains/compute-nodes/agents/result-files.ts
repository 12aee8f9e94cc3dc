import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ValidationError } from '../../../errors.ts'
import { isErrno } from '../../../storage/errno.ts'
import { readFileContents, sizeIfAny } from '../../../storage/file-contents.ts'

/** A file that belongs to a result. */
export interface ResultFile {
  /** Its place in the result; empty where that is one file. */
  path: string
  sizeBytes: number
  /** Hex. */
  sha256: string
}

/** Something that a command left: a file, or a folder of files. */
export interface Result {
  /** Its path in the output folder, as `checkpoint-10` or `runs/events.out.tfevents.1`. */
  name: string
  isFolder: boolean
  files: ResultFile[]
}

/** Where results arrive, beside the output folder that they are moved into when they are whole. */
const ARRIVING = 'arriving'

/** Where the bytes of a file arrive: under its checksum, so that another file of the same name begins anew. */
function arrivingPath(root: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw ValidationError.at('sha256', 'Must be a SHA-256 in lower-case hex.')
  return join(root, ARRIVING, sha256)
}

/** @throws ValidationError for a path that leads out of the folder it is in */
export function requireInside(path: string, field: string): string {
  const clean = posix.normalize(path)
  const leadsOut =
    clean.startsWith('/') || clean.split('/').includes('..') || clean === '.' || clean.includes('\0')
  if (!leadsOut && !clean.endsWith('/') && clean === path) return path
  throw ValidationError.at(field, 'Must be a plain relative path.')
}

/**
 * Adds bytes to a file that is arriving. What has arrived is skipped, and what does not follow it is not taken, so an
 * upload that broke off goes on where it was.
 *
 * @returns how much has arrived now, in bytes
 */
export async function addToFile(
  root: string,
  file: Pick<ResultFile, 'sha256' | 'sizeBytes'>,
  offset: number,
  source: AsyncIterable<Uint8Array>,
): Promise<number> {
  const path = arrivingPath(root, file.sha256)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const handle = await open(path, 'a', 0o600)
  try {
    let size = (await handle.stat()).size
    let position = offset
    for await (const chunk of source) {
      const end = position + chunk.length
      if (position > size) break
      if (end > file.sizeBytes) throw ValidationError.at('chunk', 'Is longer than the file is to be.')
      if (end > size) {
        await handle.appendFile(chunk.subarray(size - position))
        size = end
      }
      position = end
    }
    return size
  } finally {
    await handle.close()
  }
}

/** What of a result has not arrived yet, or not as it was announced: each file with how much of it is there. */
export async function findMissing(
  root: string,
  { files }: Result,
): Promise<{ file: ResultFile; arrivedBytes: number }[]> {
  const missing: { file: ResultFile; arrivedBytes: number }[] = []
  // However many files have the same content, it is read once.
  const right = new Set<string>()
  for (const file of files) {
    const path = arrivingPath(root, file.sha256)
    const arrivedBytes = await sizeIfAny(path)
    if (arrivedBytes < file.sizeBytes) missing.push({ file, arrivedBytes })
    else if (file.sizeBytes === 0 || right.has(file.sha256)) continue
    else if ((await readFileContents(path)).sha256 === file.sha256) right.add(file.sha256)
    else {
      // Something went wrong on the way or on the disk: it comes again.
      await rm(path, { force: true })
      missing.push({ file, arrivedBytes: 0 })
    }
  }
  return missing
}

/** Codes of names that cannot be those of files, or not beside those that there are. */
const IMPOSSIBLE = ['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EINVAL']

/**
 * Moves a result that is whole into the output folder, in place of an earlier one of the name.
 *
 * @throws ValidationError when it cannot be there, as below something that is a file
 */
export async function putInPlace(root: string, output: string, result: Result): Promise<void> {
  try {
    await move(root, output, result)
  } catch (error) {
    if (!isErrno(error, ...IMPOSSIBLE)) throw error
    const reason = error instanceof Error ? error.message.split(',', 1)[0] : String(error)
    throw ValidationError.at('name', `Cannot be put there: ${reason}.`)
  }
}

async function move(root: string, output: string, { name, isFolder, files }: Result): Promise<void> {
  const target = join(output, requireInside(name, 'name'))
  const whole = join(root, ARRIVING, 'whole')
  await rm(whole, { recursive: true, force: true })
  await mkdir(isFolder ? whole : dirname(whole), { recursive: true, mode: 0o700 })
  const copies = Map.groupBy(files, ({ sha256 }) => sha256)
  for (const same of copies.values()) {
    for (const [index, file] of same.entries()) {
      const to = isFolder ? join(whole, requireInside(file.path, 'path')) : whole
      await mkdir(dirname(to), { recursive: true })
      const from = arrivingPath(root, file.sha256)
      if (file.sizeBytes === 0) await (await open(to, 'w')).close()
      else if (index === same.length - 1) await rename(from, to)
      else await pipeline(createReadStream(from), (await open(to, 'w')).createWriteStream())
    }
  }
  await mkdir(dirname(target), { recursive: true })
  await rm(target, { recursive: true, force: true })
  await rename(whole, target)
}

/** Removes what the command has deleted. */
export async function removeResult(output: string, name: string): Promise<void> {
  await rm(join(output, requireInside(name, 'names')), { recursive: true, force: true })
}

/** Removes what is left of files that did not come to an end. */
export async function removeArriving(root: string): Promise<void> {
  await rm(join(root, ARRIVING), { recursive: true, force: true })
}
