import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ConflictError } from '../errors.ts'
import type { ByteRange } from './storage.ts'
import { paddingBytes, type TarEntry, TRAILER_BYTES, tarHeader } from './tar.ts'
import { listTree, type SkippedEntry } from './tree.ts'

const READ_BYTES = 256 * 1024

/** An entry and where it begins in the archive, in bytes. */
interface ArchiveEntry extends TarEntry {
  offset: number
}

/** A folder as it was when it was described: all that is needed to produce any part of its archive. */
export interface Tree {
  /** The folder on disk, as a real path. */
  root: string
  /** The name of the folder inside the archive, or '' when entries stand at its top. */
  folder: string
  entries: ArchiveEntry[]
  /** What the archive leaves out, and why. */
  skipped: SkippedEntry[]
  /** Bytes of the files' contents together. */
  contentBytes: number
  /** Exact size of the whole archive in bytes. */
  archiveBytes: number
}

/**
 * Looks at a folder and lays out its archive: one uncompressed tar whose bytes depend on nothing but
 * the names and contents (no owners, times or permissions), so that it has a stable checksum and a
 * download of it can be resumed. Reads no file. `folder` is the name of the one folder that everything
 * is put in, which keeps an unpacked archive together. See `listTree` for what becomes of links.
 *
 * @throws the operating system's error when the folder cannot be read
 */
export async function describeTree(path: string, options: { folder?: string } = {}): Promise<Tree> {
  const root = await realpath(path)
  const folder = options.folder ?? ''
  if (folder.includes('/') || folder === '.' || folder === '..') {
    throw new TypeError(`Not a folder name: ${JSON.stringify(folder)}`)
  }
  const { entries, skipped } = await listTree(root)
  const prefix = folder === '' ? '' : `${folder}/`
  const top: TarEntry = { kind: 'folder', path: '', sizeBytes: 0, linkTarget: '' }

  let offset = 0
  let contentBytes = 0
  const placed = (folder === '' ? entries : [top, ...entries]).map((entry) => {
    const named = { ...entry, path: prefix + entry.path, offset }
    offset += tarHeader(named).length + entry.sizeBytes + paddingBytes(entry.sizeBytes)
    contentBytes += entry.sizeBytes
    return named
  })
  return { root, folder, entries: placed, skipped, contentBytes, archiveBytes: offset + TRAILER_BYTES }
}

/**
 * The archive of a described folder, or the part of it that `range` names; what lies before that part
 * is not read. The stream fails with a ConflictError when a file is no longer what was described.
 */
export function openArchive(tree: Tree, range?: ByteRange): Readable {
  const { start, end } = range ?? { start: 0, end: tree.archiveBytes - 1 }
  if (!(start >= 0 && start <= end && end < tree.archiveBytes)) {
    throw new RangeError(`Bytes ${start} to ${end} are not inside ${tree.archiveBytes} bytes`)
  }
  return Readable.from(archiveChunks(tree, start, end), { objectMode: false, highWaterMark: READ_BYTES })
}

/** SHA-256 of the whole archive, as lower-case hex. Reads every file. */
export async function hashArchive(tree: Tree): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(openArchive(tree), hash)
  return hash.digest('hex')
}

async function* archiveChunks(tree: Tree, start: number, end: number): AsyncGenerator<Buffer> {
  for (const [index, entry] of tree.entries.entries()) {
    const next = tree.entries[index + 1]?.offset ?? tree.archiveBytes - TRAILER_BYTES
    if (next <= start) continue
    if (entry.offset > end) return

    const header = tarHeader(entry)
    yield* overlap(header, entry.offset, start, end)
    const contentOffset = entry.offset + header.length
    const first = Math.max(start - contentOffset, 0)
    const last = Math.min(end - contentOffset, entry.sizeBytes - 1)
    if (first <= last) yield* fileChunks(tree, entry, first, last)
    yield* overlap(Buffer.alloc(paddingBytes(entry.sizeBytes)), contentOffset + entry.sizeBytes, start, end)
  }
  yield* overlap(Buffer.alloc(TRAILER_BYTES), tree.archiveBytes - TRAILER_BYTES, start, end)
}

/** The part of `bytes`, which begin at `offset` in the archive, that lies between `start` and `end`. */
function* overlap(bytes: Buffer, offset: number, start: number, end: number): Generator<Buffer> {
  const part = bytes.subarray(Math.max(start - offset, 0), Math.max(end + 1 - offset, 0))
  if (part.length > 0) yield part
}

async function* fileChunks(tree: Tree, entry: ArchiveEntry, first: number, last: number) {
  const name = tree.folder === '' ? entry.path : entry.path.slice(tree.folder.length + 1)
  const path = join(tree.root, name)
  const changed = () => new ConflictError(`${JSON.stringify(name)} was changed while it was being read.`)

  // A folder on the way may have become a link since, and O_NOFOLLOW only guards the last step.
  if ((await realpath(path).catch(() => null)) !== path) throw changed()
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const stats = await file.stat()
    if (!stats.isFile() || stats.size !== entry.sizeBytes) throw changed()
    for (let position = first; position <= last; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, last + 1 - position))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
      if (bytesRead === 0) throw changed()
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}
