import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { NotFoundError, UnavailableError, ValidationError } from '../../src/errors.ts'
import { createFilesystemStorage } from '../../src/storage/filesystem.ts'
import type { ContentCheck, Storage } from '../../src/storage/storage.ts'

/** What a test makes the file system do. */
const disk = vi.hoisted(() => ({
  /** Writes go to a device that is always full. */
  full: false,
  /** Opening a file for writing takes a while, and this is called when it is open. */
  onSlowOpen: null as (() => void) | null,
  /** Hard links fail with this code. */
  linkError: '',
  /** Runs once before the next file is renamed. */
  beforeRename: async () => {},
}))

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  const slowOpen = (path: string, flags: string, mode: number, done: (...result: unknown[]) => void) => {
    const finish = (...result: unknown[]) => {
      done(...result)
      disk.onSlowOpen?.()
    }
    setTimeout(() => fs.open(path, flags, mode, finish), 20)
  }
  const createWriteStream = (path: string, options: object) => {
    if (disk.full) return fs.createWriteStream('/dev/full')
    return fs.createWriteStream(
      path,
      disk.onSlowOpen ? { ...options, fs: { ...fs, open: slowOpen } } : options,
    )
  }
  return { ...fs, createWriteStream }
})

vi.mock('node:fs/promises', async (original) => {
  const fs = await original<typeof import('node:fs/promises')>()
  const link: typeof fs.link = async (from, to) => {
    if (disk.linkError) throw Object.assign(new Error(disk.linkError), { code: disk.linkError })
    await fs.link(from, to)
  }
  const rename: typeof fs.rename = async (from, to) => {
    const { beforeRename } = disk
    disk.beforeRename = async () => {}
    await beforeRename()
    await fs.rename(from, to)
  }
  return { ...fs, link, rename }
})

let root: string
let storage: Storage
const KEY = 'datasets/ds_1/file_1'

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'storage-'))
  storage = await createFilesystemStorage({ root })
})

afterEach(async () => {
  disk.full = false
  disk.onSlowOpen = null
  disk.linkError = ''
  await rm(root, { recursive: true, force: true })
})

const put = (text: string, options: { maxBytes?: number; check?: ContentCheck } = {}) =>
  storage.put(KEY, Readable.from([Buffer.from(text)]), { maxBytes: 1000, ...options })

const read = async (key: string, range?: { start: number; end: number }) =>
  (await buffer((await storage.open(key, range)).stream)).toString()

/** Everything in the storage folder except its two permanent folders. */
async function leftovers() {
  const names = await readdir(root, { recursive: true })
  return names.filter((name) => name !== 'tmp')
}

describe('put', () => {
  test('stores the bytes and reports their size and SHA-256', async () => {
    const chunks = [Buffer.from('hello '), Buffer.alloc(100_000, 'x'), Buffer.from('end')]
    const whole = Buffer.concat(chunks)

    const stored = await storage.put(KEY, Readable.from(chunks), { maxBytes: whole.length })

    expect(stored).toEqual({
      sizeBytes: whole.length,
      sha256: createHash('sha256').update(whole).digest('hex'),
    })
    expect(await read(KEY)).toBe(whole.toString())
    expect(await readdir(join(root, 'tmp'))).toEqual([])
  })

  test('replaces what was there in one step', async () => {
    await put('old')
    const { stream } = await storage.open(KEY)
    await put('new')
    expect((await buffer(stream)).toString()).toBe('old')
    expect(await read(KEY)).toBe('new')
  })

  test('refuses a file that is too large, naming the limit, and stops reading it', async () => {
    let chunksRead = 0
    async function* endless() {
      for (;;) {
        chunksRead += 1
        yield Buffer.alloc(1024 * 1024)
      }
    }
    const putting = storage.put(KEY, endless(), { maxBytes: 5 * 1024 * 1024 })

    await expect(putting).rejects.toThrow(ValidationError)
    await expect(putting).rejects.toThrow('file: The file is larger than 5 MiB')
    expect(chunksRead).toBe(6)
    expect(await leftovers()).toEqual([])
  })

  test('leaves nothing behind when the source fails', async () => {
    async function* failing() {
      yield Buffer.from('half')
      throw new Error('the client is gone')
    }
    await expect(storage.put(KEY, failing(), { maxBytes: 1000 })).rejects.toThrow('the client is gone')
    expect(await leftovers()).toEqual([])
  })

  test('leaves nothing behind when the source fails before its file is open', async () => {
    const opened = Promise.withResolvers<void>()
    disk.onSlowOpen = opened.resolve
    const source = new Readable({ read() {} })
    const putting = storage.put(KEY, source, { maxBytes: 1000 })
    source.destroy(new Error('gone at once'))
    await expect(putting).rejects.toThrow('gone at once')
    await opened.promise
    expect(await leftovers()).toEqual([])
  })

  test('rejects a stream that is cut without an error', async () => {
    const source = new Readable({ read() {} })
    source.push('half')
    const check = { write: () => void source.destroy(), end: () => {} }

    await expect(storage.put(KEY, source, { maxBytes: 1000, check })).rejects.toMatchObject({
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    })
    expect(await leftovers()).toEqual([])
    expect(await storage.stat(KEY)).toBeNull()
  })

  test.each(['write', 'end'] as const)('stores nothing when the check throws in %s', async (method) => {
    const check = { write: () => {}, end: () => {} }
    check[method] = () => {
      throw ValidationError.at('file', 'line 1: bad')
    }
    await expect(put('text', { check })).rejects.toThrow('line 1: bad')
    expect(await leftovers()).toEqual([])
  })

  test('shows the check every chunk in order', async () => {
    const seen: string[] = []
    const check = {
      write: (chunk: Uint8Array) => void seen.push(chunk.toString()),
      end: () => void seen.push('end'),
    }
    await storage.put(KEY, Readable.from([Buffer.from('a'), Buffer.from('b')]), { maxBytes: 9, check })
    expect(seen).toEqual(['a', 'b', 'end'])
  })

  test('waits for the check before it reads on', async () => {
    let ahead = 0
    let mostAhead = 0
    async function* source() {
      for (let index = 0; index < 50; index++) {
        ahead += 1
        mostAhead = Math.max(mostAhead, ahead)
        yield Buffer.alloc(10)
      }
    }
    const check = {
      write: async () => {
        await new Promise(setImmediate)
        ahead -= 1
      },
      end: () => {},
    }
    await storage.put(KEY, source(), { maxBytes: 1000, check })
    expect(mostAhead).toBeLessThanOrEqual(2)
  })

  test.runIf(existsSync('/dev/full'))('says that the disk is full', async () => {
    disk.full = true
    const putting = put('text')
    await expect(putting).rejects.toThrow(UnavailableError)
    await expect(putting).rejects.toThrow('The disk of the server is full')
    expect(await leftovers()).toEqual([])
  })

  test('makes its folder again when a delete has just removed it', async () => {
    disk.beforeRename = () => rmdir(join(root, 'datasets/ds_1'))
    await put('text')
    expect(await read(KEY)).toBe('text')
  })

  test('works beside deletes in the same folder', async () => {
    const work = Array.from({ length: 100 }, async (_, index) => {
      const key = `datasets/ds_1/file_${index}`
      await storage.put(key, Readable.from([Buffer.from('x')]), { maxBytes: 10 })
      await storage.delete(key)
    })
    await Promise.all(work)
    expect(await leftovers()).toEqual([])
  })
})

describe('open and stat', () => {
  test('reads a part, both ends included', async () => {
    await put('0123456789')
    expect(await read(KEY, { start: 2, end: 4 })).toBe('234')
    const last = await storage.open(KEY, { start: 9, end: 9 })
    expect(last.sizeBytes).toBe(10)
    expect((await buffer(last.stream)).toString()).toBe('9')
  })

  test.each([
    { start: 5, end: 10 },
    { start: 4, end: 3 },
    { start: -1, end: 3 },
  ])('refuses the range $start-$end of ten bytes', async (range) => {
    await put('0123456789')
    await expect(storage.open(KEY, range)).rejects.toThrow(RangeError)
  })

  test('knows what is not there', async () => {
    await put('x')
    await expect(storage.open('datasets/ds_1/file_2')).rejects.toThrow(NotFoundError)
    await expect(storage.open('datasets/ds_1')).rejects.toThrow(NotFoundError)
    await expect(storage.open(`${KEY}/deeper`)).rejects.toThrow(NotFoundError)
    expect(await storage.stat('datasets/ds_1/file_2')).toBeNull()
    expect(await storage.stat('datasets/ds_1')).toBeNull()
  })

  test('tells size and time', async () => {
    await put('12345')
    const stats = await storage.stat(KEY)
    expect(stats?.sizeBytes).toBe(5)
    expect(stats?.modifiedAt).toBeInstanceOf(Date)
  })
})

test('delete removes the blob and emptied folders, and may be repeated', async () => {
  await put('x')
  await storage.put('datasets/ds_2/file_9', Readable.from([Buffer.from('y')]), { maxBytes: 9 })
  await storage.delete(KEY)
  await storage.delete(KEY)
  expect(await storage.stat(KEY)).toBeNull()
  expect(await leftovers()).toEqual(['datasets', 'datasets/ds_2', 'datasets/ds_2/file_9'])
})

describe('materialize', () => {
  test('links the blob into place, replacing what is there', async () => {
    await put('content')
    const target = join(root, 'run', 'data.txt')
    await mkdir(join(root, 'run'))
    await writeFile(target, 'older')

    await storage.materialize(KEY, target)
    await storage.materialize(KEY, target)

    expect(await readFile(target, 'utf8')).toBe('content')
    const blob = await stat(fileURLToPath(storage.uri(KEY)))
    expect((await stat(target)).ino).toBe(blob.ino)
    expect(blob.mode & 0o222).toBe(0)
  })

  test('copies where it cannot link, and leaves no half copy', async () => {
    await put('content')
    disk.linkError = 'EXDEV'
    const target = join(root, 'run', 'data.txt')

    await storage.materialize(KEY, target)

    expect(await readFile(target, 'utf8')).toBe('content')
    expect((await stat(target)).ino).not.toBe((await stat(fileURLToPath(storage.uri(KEY)))).ino)
    expect(await readdir(join(root, 'run'))).toEqual(['data.txt'])
  })

  test('does not hide other failures', async () => {
    await put('content')
    disk.linkError = 'EACCES'
    await expect(storage.materialize(KEY, join(root, 'run', 'x'))).rejects.toThrow('EACCES')
    await expect(storage.materialize('datasets/none', join(root, 'x'))).rejects.toThrow(NotFoundError)
  })
})

test('sweepTemporary removes what a killed server left, and nothing else', async () => {
  await put('kept')
  await writeFile(join(root, 'tmp', 'leftover'), 'half a file')
  const restarted = await createFilesystemStorage({ root })
  expect(await restarted.sweepTemporary()).toBe(1)
  expect(await restarted.sweepTemporary()).toBe(0)
  expect(await read(KEY)).toBe('kept')
})
