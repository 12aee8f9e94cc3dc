import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isErrno } from '../storage/errno.ts'
import { readFileContents } from '../storage/file-contents.ts'
import { createTurns, type InTurn } from '../turns.ts'
import { type Download, MismatchError } from './download.ts'

/** A file that commands read. */
export interface CachedFile {
  sha256: string
  sizeBytes: number
}

/** Files that commands read, each once by its checksum. */
export type Cache = ReturnType<typeof createCache>

/** So long unused, a file goes, in ms. */
const UNUSED_MS = 7 * 24 * 3600 * 1000
/** Files up to this size are copied rather than linked, in bytes: a script may change its configuration. */
const COPIED_BYTES = 1024 * 1024
/** When a file was last changed, in what the cache says of it: one that says something else was written to. */
const UNCHANGED = new Date('2000-01-01T00:00:00Z')

/** @param folder where they are kept */
export function createCache({ folder, download }: { folder: string; download: Download }) {
  const turns = new Map<string, InTurn>()

  function pathOf(sha256: string): string {
    if (/^[0-9a-f]{64}$/.test(sha256)) return join(folder, sha256)
    throw new Error(`${JSON.stringify(sha256)} is not a SHA-256 in lower-case hex.`)
  }

  /** One download of a file at a time, whoever needs it. */
  function inTurnOf(sha256: string): InTurn {
    const turn = turns.get(sha256) ?? createTurns()
    turns.set(sha256, turn)
    return turn
  }

  async function isThere({ sha256, sizeBytes }: CachedFile): Promise<boolean> {
    try {
      const { size, mtimeMs } = await stat(pathOf(sha256))
      return size === sizeBytes && mtimeMs === UNCHANGED.getTime()
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false
      throw error
    }
  }

  async function fetchWhole(file: CachedFile, url: string, signal: AbortSignal): Promise<void> {
    const partial = `${pathOf(file.sha256)}.part`
    // A cache may be removed at any time, also as a whole; a run must not fail for it.
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await download(url, partial, file.sizeBytes, signal)
    if ((await readFileContents(partial)).sha256 !== file.sha256) {
      await rm(partial, { force: true })
      throw new MismatchError()
    }
    const handle = await open(partial, 'r+')
    try {
      await handle.chmod(0o444)
      await handle.utimes(new Date(), UNCHANGED)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(partial, pathOf(file.sha256))
  }

  return {
    /**
     * Puts a file into its place, from here or from the server. A download that broke off goes on where it was.
     *
     * @throws DownloadError when the server will not have it, and what the network and the disk throw
     */
    async provide(file: CachedFile & { place: string; url: string }, signal: AbortSignal): Promise<void> {
      await inTurnOf(file.sha256)(async () => {
        signal.throwIfAborted()
        if (!(await isThere(file))) await fetchWhole(file, file.url, signal)
        await utimes(pathOf(file.sha256), new Date(), UNCHANGED)
        await putInPlace(pathOf(file.sha256), file)
      })
    },

    /** Removes what was not used for long; commands that have it keep it. */
    async sweep(): Promise<void> {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      for (const name of await readdir(folder)) {
        const path = join(folder, name)
        const { atimeMs, mtimeMs } = await stat(path)
        // Of a file that is arriving, its last change is its last use.
        if (Date.now() - Math.max(atimeMs, mtimeMs) > UNUSED_MS) await rm(path, { force: true })
      }
    },
  }
}

async function putInPlace(from: string, { place, sizeBytes }: { place: string; sizeBytes: number }) {
  await mkdir(dirname(place), { recursive: true })
  await rm(place, { force: true })
  if (sizeBytes > COPIED_BYTES) {
    try {
      return await copyFile(from, place, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE)
    } catch (error) {
      if (!isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS')) throw error
    }
    try {
      return await link(from, place)
    } catch (error) {
      if (!isErrno(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
    }
  }
  const partial = `${place}.part`
  await rm(partial, { force: true })
  await copyFile(from, partial, constants.COPYFILE_FICLONE)
  const handle = await open(partial, 'r')
  try {
    await handle.chmod(0o644)
  } finally {
    await handle.close()
  }
  await rename(partial, place)
}
