import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { outageOf } from '../outage.ts'
import { isErrno } from '../storage/errno.ts'
import { decodeEncryptionKey, type EncryptionKey, encodeEncryptionKey } from './encryption-key.ts'
import { SecretsError } from './errors.ts'

/** A file that holds one key, which its owner alone can read. */
export interface KeyFile {
  readonly path: string
  /** The key; null when there is no file. @throws SecretsError when others can read it or it holds no key */
  read(): Promise<EncryptionKey | null>
  /** Keeps the key, unless a file has come to be there meanwhile: its key counts then. */
  create(key: EncryptionKey): Promise<EncryptionKey>
  /** Keeps the key in place of any other. */
  replace(key: EncryptionKey): Promise<void>
  /** Puts the file in the place of another. */
  moveTo(path: string): Promise<void>
  remove(): Promise<void>
}

/** What others than the owner may do with a file. */
const OTHERS = 0o077

/** The key file at `path`. Every change is there for good when it resolves, and there wholly or not at all. */
export function createKeyFile(path: string): KeyFile {
  const file: KeyFile = {
    path,
    read: () => reporting('read', path, read),
    async create(key) {
      await reporting('written', path, () => write(key, (draft) => linkUnlessThere(draft, path)))
      return (await file.read()) ?? key
    },
    replace: (key) => reporting('written', path, () => write(key, (draft) => rename(draft, path))),
    moveTo: (target) =>
      reporting('written', target, async () => {
        await rename(path, target)
        await syncFolder()
      }),
    remove: () => reporting('removed', path, () => rm(path, { force: true })),
  }
  return file

  async function read(): Promise<EncryptionKey | null> {
    const handle = await openIfThere(path)
    if (!handle) return null
    try {
      const { mode } = await handle.stat()
      if ((mode & OTHERS) !== 0) {
        throw new SecretsError(
          `The key file ${path} is open to other users (mode ${(mode & 0o777).toString(8)}): make it the server's alone with chmod 600.`,
        )
      }
      const key = decodeEncryptionKey(await handle.readFile())
      if (!key) throw new SecretsError(`The key file ${path} is damaged: it must hold 32 bytes, in base64.`)
      return key
    } finally {
      await handle.close()
    }
  }

  async function write(key: EncryptionKey, place: (draft: string) => Promise<void>): Promise<void> {
    // Placed only when it is whole: half a key, as a full disk gives, would be one that is damaged.
    const draft = `${path}.tmp`
    try {
      await rm(draft, { force: true })
      const handle = await open(draft, 'wx', 0o600)
      try {
        await handle.writeFile(`${encodeEncryptionKey(key)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await place(draft)
    } finally {
      await rm(draft, { force: true })
    }
    await syncFolder()
  }

  async function syncFolder(): Promise<void> {
    const folder = await open(dirname(path))
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  }
}

async function openIfThere(path: string) {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

async function linkUnlessThere(draft: string, path: string): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  }
}

/** Says what the system says in one line. An outage stays as it is, because the server knows how to tell it. */
async function reporting<T>(done: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (outageOf(error) || !(error instanceof Error && 'syscall' in error)) throw error
    throw new SecretsError(`The key file ${path} cannot be ${done}: ${error.message}.`, { cause: error })
  }
}
