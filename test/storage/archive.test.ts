import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readlink,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConflictError } from '../../src/errors.ts'
import { describeTree, hashArchive, openArchive, type Tree } from '../../src/storage/archive.ts'

const run = promisify(execFile)

let work: string
let source: string

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'archive-'))
  source = join(work, 'source')
  await mkdir(source)
})

afterEach(() => rm(work, { recursive: true, force: true }))

async function files(root: string, contents: Record<string, string | Buffer>) {
  for (const [path, content] of Object.entries(contents)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
}

const LONG = `${'deep-folder-name/'.repeat(12)}${'n'.repeat(120)}.safetensors`
const VARIED = {
  'config.json': '{}',
  'empty.txt': '',
  'block.bin': Buffer.alloc(512, 'b'),
  'almost.bin': Buffer.alloc(511, 'a'),
  'checkpoint/model.safetensors': Buffer.alloc(700_001, 'm'),
  'checkpoint-extra.txt': 'sorts between the folder and what is in it',
  'größe/データ 🚂.jsonl': '{"a":1}\n',
  'quotes "and" = newline\n.txt': 'odd',
  [LONG]: 'long',
}

async function archive(tree: Tree, range?: { start: number; end: number }) {
  return buffer(openArchive(tree, range))
}

async function extract(bytes: Buffer): Promise<string> {
  const target = await mkdtemp(join(work, 'extracted-'))
  await writeFile(join(work, 'archive.tar'), bytes)
  const { stderr } = await run('tar', ['-xf', join(work, 'archive.tar'), '-C', target])
  expect(stderr).toBe('')
  return target
}

describe('the archive', () => {
  test('is unpacked by tar to the same files', async () => {
    await files(source, VARIED)
    await mkdir(join(source, 'empty-folder'))

    const tree = await describeTree(source)
    const bytes = await archive(tree)

    expect(bytes.length).toBe(tree.archiveBytes)
    expect(tree.contentBytes).toBe(Object.values(VARIED).reduce((sum, content) => sum + content.length, 0))
    const target = await extract(bytes)
    for (const [path, content] of Object.entries(VARIED)) {
      expect((await readFile(join(target, path))).equals(Buffer.from(content)), path).toBe(true)
    }
    expect((await lstat(join(target, 'empty-folder'))).isDirectory()).toBe(true)
    const { stdout } = await run('diff', ['-r', source, target])
    expect(stdout).toBe('')
  })

  test('depends on nothing but names and contents', async () => {
    const other = join(work, 'other')
    await files(source, VARIED)
    await files(other, Object.fromEntries(Object.entries(VARIED).reverse()))
    await utimes(join(other, 'config.json'), 1, 1)
    await chmod(join(other, 'config.json'), 0o600)

    const bytes = await archive(await describeTree(source))
    const again = await archive(await describeTree(other))

    expect(again.equals(bytes)).toBe(true)
    await writeFile(join(other, 'config.json'), '[]')
    expect((await archive(await describeTree(other))).equals(bytes)).toBe(false)
  })

  test('keeps its bytes in every version, because checksums are stored', async () => {
    await files(source, { 'a/b.txt': 'hello', 'ü.txt': 'x' })
    expect(await hashArchive(await describeTree(source))).toBe(
      '37325ad221b6b18b0ec884f930c3f3ba3da61507727d7102742ee41b43bb8957',
    )
  })

  test('can put everything into one folder', async () => {
    await files(source, { 'a/b.txt': 'hello' })
    const tree = await describeTree(source, { folder: 'checkpoint-100' })
    const target = await extract(await archive(tree))
    expect(await readFile(join(target, 'checkpoint-100/a/b.txt'), 'utf8')).toBe('hello')
    await expect(describeTree(source, { folder: '../x' })).rejects.toThrow(TypeError)
  })

  test('of an empty folder is a valid archive', async () => {
    const tree = await describeTree(source)
    const bytes = await archive(tree)
    expect(bytes.length).toBe(1024)
    await extract(bytes)
  })
})

test('hashArchive is the SHA-256 of the bytes', async () => {
  await files(source, VARIED)
  const tree = await describeTree(source)
  const expected = createHash('sha256')
    .update(await archive(tree))
    .digest('hex')
  expect(await hashArchive(tree)).toBe(expected)
})

describe('a range', () => {
  test('is the same slice of the whole, wherever it begins and ends', async () => {
    await files(source, VARIED)
    const tree = await describeTree(source, { folder: 'all' })
    const whole = await archive(tree)
    const edges = tree.entries.flatMap(({ offset }) => [offset, offset + 511, offset + 512, offset + 1500])
    const places = [0, 1, ...edges, whole.length - 1024, whole.length - 1].filter((at) => at < whole.length)

    for (const start of places) {
      for (const end of [start, start + 1, start + 513, start + 70_000, whole.length - 1]) {
        if (end >= whole.length) continue
        const slice = await archive(tree, { start, end })
        expect(slice.equals(whole.subarray(start, end + 1)), `${start}-${end}`).toBe(true)
      }
    }
  })

  test('does not read the files before it', async () => {
    await files(source, { 'a.bin': Buffer.alloc(5000), 'b.txt': 'second' })
    const tree = await describeTree(source)
    await rm(join(source, 'a.bin'))
    const second = tree.entries[1]?.offset ?? 0
    const slice = await archive(tree, { start: second + 512, end: second + 512 + 5 })
    expect(slice.toString()).toBe('second')
  })

  test.each([
    { start: 0, end: 1024 },
    { start: 3, end: 2 },
    { start: -1, end: 2 },
  ])('of $start-$end is refused when it is not inside', async (range) => {
    const tree = await describeTree(source)
    expect(() => openArchive(tree, range)).toThrow(RangeError)
  })
})

test('sizes past 8 GiB are understood by tar', async () => {
  // The file and its archive have holes instead of contents: only what is around them is written.
  const size = 9 * 1024 ** 3 + 5
  await files(source, { 'huge.bin': '', 'later.txt': 'after the huge one' })
  await truncate(join(source, 'huge.bin'), size)
  const tree = await describeTree(source)
  const later = tree.entries[1]?.offset ?? 0
  const path = join(work, 'archive.tar')
  await pipeline(openArchive(tree, { start: 0, end: 4095 }), createWriteStream(path))
  const file = await open(path, 'r+')
  const tail = await archive(tree, { start: later, end: tree.archiveBytes - 1 })
  await file.write(tail, 0, tail.length, later)
  await file.close()

  const { stdout } = await run('tar', ['-tvf', path])

  expect(stdout).toMatch(new RegExp(`\\b${size}\\b.*huge\\.bin\\n.*\\b18\\b.*later\\.txt\\n$`))
})

describe('links', () => {
  test('inside the folder stay links, made relative', async () => {
    await files(source, { 'checkpoint-2/model.bin': 'weights' })
    await symlink('checkpoint-2', join(source, 'latest'))
    await symlink(join(source, 'checkpoint-2/model.bin'), join(source, 'absolute.bin'))
    await symlink('../checkpoint-2/model.bin', join(source, 'checkpoint-2/self.bin'))

    const tree = await describeTree(source)
    const target = await extract(await archive(tree))

    expect(tree.skipped).toEqual([])
    expect(await readlink(join(target, 'latest'))).toBe('checkpoint-2')
    expect(await readlink(join(target, 'absolute.bin'))).toBe('checkpoint-2/model.bin')
    expect(await readlink(join(target, 'checkpoint-2/self.bin'))).toBe('model.bin')
  })

  test('that lead out of it, or nowhere, are left out', async () => {
    await files(work, { 'secret.txt': 'secret', 'source-2/secret.txt': 'secret' })
    await files(source, { 'a/b/c.txt': 'c' })
    await symlink('../secret.txt', join(source, 'up'))
    await symlink('../source-2/secret.txt', join(source, 'sibling'))
    await symlink('/etc', join(source, 'etc'))
    await symlink('nowhere', join(source, 'dangling'))
    await symlink('loop', join(source, 'loop'))
    await symlink('../..', join(source, 'a/b/back'))
    // Looks as if it stayed inside, and does not: `back` is the source folder itself.
    await symlink('a/b/back/../secret.txt', join(source, 'disguised'))

    const tree = await describeTree(source)

    expect(tree.skipped.map(({ path }) => path)).toEqual([
      'dangling',
      'disguised',
      'etc',
      'loop',
      'sibling',
      'up',
    ])
    expect((await archive(tree)).includes('secret')).toBe(false)
    await extract(await archive(tree))
  })

  test('put in the place of a described file are not followed', async () => {
    await files(source, { 'a/b.txt': 'public' })
    await files(work, { 'outside/b.txt': 'secret' })
    const tree = await describeTree(source)
    await rm(join(source, 'a'), { recursive: true })
    await symlink('../outside', join(source, 'a'))
    await expect(archive(tree)).rejects.toThrow(ConflictError)
  })
})

test.each([
  ['grew', '123456'],
  ['shrank', '1234'],
])('a file that %s since makes the archive fail instead of being wrong', async (_, content) => {
  await files(source, { 'a.txt': '12345' })
  const tree = await describeTree(source)
  await writeFile(join(source, 'a.txt'), content)
  await expect(archive(tree)).rejects.toThrow(ConflictError)
})

test('a pipe is left out', async () => {
  await run('mkfifo', [join(source, 'pipe')])
  const tree = await describeTree(source)
  expect(tree.skipped).toEqual([{ path: 'pipe', reason: 'it is neither a file nor a folder' }])
})
