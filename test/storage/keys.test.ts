import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFilesystemStorage } from '../../src/storage/filesystem.ts'
import type { Storage } from '../../src/storage/storage.ts'

let root: string
let storage: Storage

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'storage-'))
  storage = await createFilesystemStorage({ root })
})

afterEach(() => rm(root, { recursive: true, force: true }))

const leftovers = async () => (await readdir(root, { recursive: true })).filter((name) => name !== 'tmp')

describe('keys', () => {
  const bad = [
    '',
    '/etc/passwd',
    '../x',
    'a/../../x',
    'a//b',
    'a/',
    './a',
    'a/.',
    'a\0b',
    'a\\..\\b',
    'tmp/x',
    'ä',
    'a b',
  ]

  test.each(bad)('%j is refused everywhere', async (key) => {
    const source = Readable.from([Buffer.from('x')])
    await expect(storage.put(key, source, { maxBytes: 10 })).rejects.toThrow(TypeError)
    await expect(storage.open(key)).rejects.toThrow(TypeError)
    await expect(storage.stat(key)).rejects.toThrow(TypeError)
    await expect(storage.delete(key)).rejects.toThrow(TypeError)
    await expect(storage.materialize(key, join(root, 'target'))).rejects.toThrow(TypeError)
    expect(() => storage.uri(key)).toThrow(TypeError)
    expect(await leftovers()).toEqual([])
  })

  test('do not pass symbolic links', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'))
    await writeFile(join(outside, 'secret'), 'secret')
    await symlink(outside, join(root, 'folder'))
    await symlink(join(outside, 'secret'), join(root, 'file'))

    await expect(storage.open('folder/secret')).rejects.toThrow('symbolic link')
    await expect(storage.open('file')).rejects.toThrow('symbolic link')
    await expect(storage.delete('folder/secret')).rejects.toThrow('symbolic link')
    const source = Readable.from([Buffer.from('x')])
    await expect(storage.put('folder/new', source, { maxBytes: 10 })).rejects.toThrow('symbolic link')
    expect(await readdir(outside)).toEqual(['secret'])
    await rm(outside, { recursive: true })
  })

  test('that are bad end the source, which nobody else would', async () => {
    const source = new Readable({ read() {} })
    await expect(storage.put('../x', source, { maxBytes: 10 })).rejects.toThrow(TypeError)
    expect(source.destroyed).toBe(true)
  })
})
