import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Cache, createCache } from '../../src/agent/cache.ts'
import { createDownload, DownloadError, MismatchError } from '../../src/agent/download.ts'
import { UnreachableError } from '../../src/agent/errors.ts'

const CONTENT = randomBytes(3 * 1024 * 1024)
const sha256 = createHash('sha256').update(CONTENT).digest('hex')
const DAY_MS = 24 * 3600 * 1000

let folder: string
let server: Server
let cache: Cache
/** What the server was asked for: each with its Range header. */
let asked: (string | undefined)[]
/** After how many bytes the server cuts a connection. */
let cutAfter: number
let status: number
let content: Buffer
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  asked = []
  cutAfter = Number.POSITIVE_INFINITY
  status = 200
  content = CONTENT
  server = createServer((req, res) => {
    asked.push(req.headers.range)
    if (status !== 200) return res.writeHead(status).end()
    const start = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0)
    res.writeHead(start > 0 ? 206 : 200, { 'Content-Length': content.length - start })
    const part = content.subarray(start, start + cutAfter)
    if (start + part.length === content.length) return res.end(part)
    return res.write(part, () => setTimeout(() => res.destroy(), 50))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')
  await mkdir(join(folder, 'cache'))
  cache = createCache({
    folder: join(folder, 'cache'),
    download: createDownload(`http://127.0.0.1:${address.port}`),
  })
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await rm(folder, { recursive: true })
})

const placeOf = (name: string) => join(folder, 'places', name, 'train.jsonl')
const provide = (name: string, signal = new AbortController().signal) =>
  cache.provide({ sha256, sizeBytes: CONTENT.length, url: '/file', place: placeOf(name) }, signal)

test('a file is downloaded once, for however many commands at the same time', async () => {
  await Promise.all(['one', 'two', 'three'].map((name) => provide(name)))
  for (const name of ['one', 'two', 'three']) expect(await readFile(placeOf(name))).toEqual(CONTENT)
  expect(asked).toEqual([undefined])
})

test('a download that broke off goes on where it was', async () => {
  cutAfter = 1024 * 1024
  await expect(provide('one')).rejects.toThrow(UnreachableError)
  await expect(provide('one')).rejects.toThrow(UnreachableError)
  cutAfter = Number.POSITIVE_INFINITY
  await provide('one')
  expect(await readFile(placeOf('one'))).toEqual(CONTENT)
  const [first, second, third] = asked
  expect(first).toBeUndefined()
  expect(second).toMatch(/^bytes=[1-9]\d*-$/)
  expect(Number(third?.match(/\d+/)?.[0])).toBeGreaterThan(Number(second?.match(/\d+/)?.[0]))
})

test('what comes with another checksum is not used, and comes anew', async () => {
  content = Buffer.alloc(CONTENT.length)
  await expect(provide('one')).rejects.toThrow(MismatchError)
  content = CONTENT
  await provide('one')
  expect(await readFile(placeOf('one'))).toEqual(CONTENT)
  expect(asked).toEqual([undefined, undefined])
})

test.each([
  [404, true],
  [409, true],
  [403, false],
  [410, false],
])('a link that answers %i is not asked again: gone is %s', async (code, isGone) => {
  status = code
  const error = await provide('one').catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DownloadError)
  expect(error).toMatchObject({ isGone })
})

test('a server that is not well is asked again', async () => {
  status = 503
  await expect(provide('one')).rejects.toThrow(UnreachableError)
})

test('a command that writes to what it was given does not harm the next', async () => {
  await provide('one')
  await writeFile(placeOf('one'), 'scribbled')
  await provide('two')
  expect(await readFile(placeOf('two'))).toEqual(CONTENT)
})

test('what nobody has used for a week goes, and what is used stays', async () => {
  await provide('one')
  const [name = ''] = await readdir(join(folder, 'cache'))
  const path = join(folder, 'cache', name)
  const { mtime } = await stat(path)
  await utimes(path, new Date(Date.now() - 6 * DAY_MS), mtime)
  await cache.sweep()
  expect(await readdir(join(folder, 'cache'))).toEqual([sha256])
  await utimes(path, new Date(Date.now() - 8 * DAY_MS), mtime)
  await cache.sweep()
  expect(await readdir(join(folder, 'cache'))).toEqual([])
  expect(await readFile(placeOf('one'))).toEqual(CONTENT)
})
