import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { constants, createWriteStream } from 'node:fs'
import { copyFile, link, lstat, mkdir, open, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'
import { NotFoundError, ValidationError } from '../errors.ts'
import { asExpected } from '../outage.ts'
import { isErrno } from './errno.ts'
import { humanSize } from './human-size.ts'
import { confinedPath, keySegments, TEMPORARY_FOLDER } from './paths.ts'
import type { BlobStat, ByteRange, PutOptions, Storage, StoredBlob } from './storage.ts'

/** How often a `put` makes its folder anew when a `delete` of the folder's last file takes it away. */
const RENAME_ATTEMPTS = 5

/**
 * Blobs as plain files under `root`, which is made when it is not there. Uploads grow in `root/tmp` and
 * are renamed into place, so a reader sees all of a blob or none, and a crash leaves at most a
 * temporary file behind. Blobs are read-only files: `materialize` hard-links them into run folders.
 */
export async function createFilesystemStorage(options: { root: string }): Promise<Storage> {
  await mkdir(join(options.root, TEMPORARY_FOLDER), { recursive: true, mode: 0o700 })
  const root = await realpath(options.root)
  const temporary = join(root, TEMPORARY_FOLDER)

  async function put(key: string, source: AsyncIterable<Uint8Array>, options: PutOptions) {
    const draft = join(temporary, randomUUID())
    try {
      // Not awaited before the source is listened to: an error of it in between would end the process.
      const target = confinedPath(root, key)
      target.catch(() => {}) // `writeDraft` reports it
      const stored = await writeDraft(draft, target, source, options)
      await moveIntoPlace(draft, await target)
      return stored
    } catch (error) {
      await rm(draft, { force: true })
      throw asExpected(error)
    }
  }

  async function moveIntoPlace(draft: string, target: string) {
    const folder = dirname(target)
    for (let attempt = 1; ; attempt++) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      try {
        await rename(draft, target)
        break
      } catch (error) {
        if (!isErrno(error, 'ENOENT') || attempt === RENAME_ATTEMPTS) throw error
      }
    }
    // The folders above may be new as well, and a folder's name is durable once its parent is synced.
    await syncFolder(root)
    for (let path = folder; path !== root; path = dirname(path)) await syncFolder(path)
  }

  async function openBlob(key: string, range?: ByteRange) {
    const path = await confinedPath(root, key)
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
      throw isErrno(error, 'ENOENT', 'ENOTDIR') ? new NotFoundError('stored file', key) : error
    })
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw new NotFoundError('stored file', key)
      if (range && !(range.start >= 0 && range.start <= range.end && range.end < stats.size)) {
        throw new RangeError(`Bytes ${range.start} to ${range.end} are not inside ${stats.size} bytes`)
      }
      return { stream: file.createReadStream({ ...range, highWaterMark: 256 * 1024 }), sizeBytes: stats.size }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async function stat(key: string): Promise<BlobStat | null> {
    try {
      const stats = await lstat(await confinedPath(root, key))
      return stats.isFile() ? { sizeBytes: stats.size, modifiedAt: stats.mtime } : null
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return null
      throw error
    }
  }

  async function remove(key: string) {
    const path = await confinedPath(root, key)
    await rm(path, { force: true })
    // Folders are only a way of storing keys: one that holds nothing any more goes too.
    for (let folder = dirname(path); folder !== root; folder = dirname(folder)) {
      try {
        await rmdir(folder)
      } catch (error) {
        if (isErrno(error, 'ENOENT')) continue
        if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOTDIR')) return
        throw error
      }
    }
  }

  async function materialize(key: string, targetPath: string) {
    const path = await confinedPath(root, key)
    if ((await stat(key)) === null) throw new NotFoundError('stored file', key)
    await mkdir(dirname(targetPath), { recursive: true })
    await rm(targetPath, { force: true })
    try {
      await link(path, targetPath)
    } catch (error) {
      // Another device, a file system without hard links, too many links, or a kernel that forbids them.
      if (!isErrno(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
      await copyWhole(path, targetPath)
    }
  }

  async function sweepTemporary() {
    const leftovers = await readdir(temporary)
    for (const name of leftovers) await rm(join(temporary, name), { recursive: true, force: true })
    return leftovers.length
  }

  return {
    put,
    open: openBlob,
    stat,
    delete: remove,
    materialize,
    uri: (key) => pathToFileURL([root, ...keySegments(key)].join(sep)).href,
    sweepTemporary,
  }
}

/**
 * Streams `source` into a new file and on to the disk, once `ready` says that it may; back-pressure keeps
 * memory to a few chunks.
 */
async function writeDraft(
  path: string,
  ready: Promise<unknown>,
  source: AsyncIterable<Uint8Array>,
  { maxBytes, check }: PutOptions,
): Promise<StoredBlob> {
  const hash = createHash('sha256')
  let sizeBytes = 0

  async function* inspect(chunks: AsyncIterable<Uint8Array>) {
    await ready
    for await (const chunk of chunks) {
      sizeBytes += chunk.byteLength
      if (sizeBytes > maxBytes) {
        throw ValidationError.at(
          'file',
          `The file is larger than ${humanSize(maxBytes)}, the most that is accepted.`,
        )
      }
      hash.update(chunk)
      await check?.write(chunk)
      yield chunk
    }
    await check?.end()
  }

  // 'wx' never follows or reuses what is there; `flush` is an fsync before the file is closed, and only
  // with the close is it over: a file that is still being opened would be made after its removal.
  const file = createWriteStream(path, { flags: 'wx', mode: 0o444, flush: true })
  const closed = once(file, 'close')
  closed.catch(() => {})
  try {
    await pipeline(source, inspect, file)
  } catch (error) {
    await closed.catch(() => {})
    throw error
  }
  await closed
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** Copies under another name first, so that a file at `target` is whole whenever it is there. */
async function copyWhole(source: string, target: string) {
  const partial = `${target}.${randomUUID()}.partial`
  try {
    await copyFile(source, partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
    await rename(partial, target)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

/** Makes the names in a folder durable. Windows cannot open folders, and needs none of this. */
async function syncFolder(path: string) {
  if (process.platform === 'win32') return
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
