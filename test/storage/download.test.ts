import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DownloadOutcome, type DownloadSource, serveDownload } from '../../src/storage/download.ts'
import type { ByteRange } from '../../src/storage/storage.ts'

const CONTENT = randomBytes(300_000)
const SHA256 = createHash('sha256').update(CONTENT).digest('hex')
const ETAG = `"${SHA256}"`
const LAST_MODIFIED = new Date('2026-01-02T03:04:05.678Z')

let server: Server
let url: string
let source: DownloadSource
let opened: Readable[]
let outcome: Promise<DownloadOutcome>

function sourceOf(content: Buffer, changes: Partial<DownloadSource> = {}): DownloadSource {
  return {
    sizeBytes: content.length,
    filename: 'data.jsonl',
    sha256: createHash('sha256').update(content).digest('hex'),
    lastModified: LAST_MODIFIED,
    open({ start, end }: ByteRange = { start: 0, end: content.length - 1 }) {
      const body = Readable.from([content.subarray(start, end + 1)])
      opened.push(body)
      return body
    },
    ...changes,
  }
}

beforeEach(async () => {
  opened = []
  source = sourceOf(CONTENT)
  const settled = Promise.withResolvers<DownloadOutcome>()
  outcome = settled.promise
  outcome.catch(() => {})
  server = createServer((req, res) => {
    serveDownload(req, res, source).then(settled.resolve, (error: unknown) => {
      if (!res.headersSent) res.writeHead(500).end('failed')
      settled.reject(error)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const get = (headers: Record<string, string> = {}, method = 'GET') => fetch(url, { headers, method })
const bytes = async (response: Response) => Buffer.from(await response.arrayBuffer())

test('the whole file comes with everything a careful client needs', async () => {
  const response = await get()

  expect(response.status).toBe(200)
  expect((await bytes(response)).equals(CONTENT)).toBe(true)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'accept-ranges': 'bytes',
    'content-disposition': `attachment; filename="data.jsonl"; filename*=UTF-8''data.jsonl`,
    'content-length': '300000',
    'content-type': 'application/octet-stream',
    etag: ETAG,
    'last-modified': 'Fri, 02 Jan 2026 03:04:05 GMT',
    'repr-digest': `sha-256=:${createHash('sha256').update(CONTENT).digest('base64')}:`,
    'x-content-type-options': 'nosniff',
  })
  expect(await outcome).toEqual({ status: 200, bytesSent: 300_000, aborted: false })
})

test('HEAD has the same headers and opens nothing', async () => {
  const response = await get({ range: 'bytes=0-9' }, 'HEAD')
  expect(response.status).toBe(200)
  expect(response.headers.get('content-length')).toBe('300000')
  expect(await response.text()).toBe('')
  expect(opened).toEqual([])
})

test('other methods are refused', async () => {
  const response = await get({}, 'POST')
  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('GET, HEAD')
})

describe('ranges', () => {
  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    ['bytes=299990-', 299_990, 299_999],
    ['bytes=-5', 299_995, 299_999],
    ['bytes=299999-400000', 299_999, 299_999],
    ['Bytes=1-2', 1, 2],
  ])('%s is sent as 206', async (range, start, end) => {
    const response = await get({ range })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/300000`)
    expect(response.headers.get('content-length')).toBe(String(end - start + 1))
    expect(response.headers.get('etag')).toBe(ETAG)
    expect((await bytes(response)).equals(CONTENT.subarray(start, end + 1))).toBe(true)
  })

  test.each(['bytes=300000-', 'bytes=400000-500000', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const response = await get({ range })
    expect(response.status).toBe(416)
    expect(response.headers.get('content-range')).toBe('bytes */300000')
    expect(await response.text()).toBe('')
    expect(opened).toEqual([])
  })

  test.each(['bytes=0-4,10-14', 'bytes=abc', 'bytes=5', 'items=0-5', 'bytes', 'bytes=1-x'])(
    '%s gets the whole file',
    async (range) => {
      const response = await get({ range })
      expect(response.status).toBe(200)
      expect(response.headers.get('content-range')).toBeNull()
      expect((await bytes(response)).equals(CONTENT)).toBe(true)
    },
  )

  test('the last bytes of a file that has fewer are all of it', async () => {
    const response = await get({ range: 'bytes=-999999' })
    expect((await bytes(response)).equals(CONTENT)).toBe(true)
  })

  test.each([
    ['the same tag', ETAG, 206],
    ['another tag', '"other"', 200],
    ['a weak tag', `W/${ETAG}`, 200],
    ['the same date', 'Fri, 02 Jan 2026 03:04:05 GMT', 206],
    ['an older date', 'Fri, 02 Jan 2026 03:04:04 GMT', 200],
    ['a later date', 'Fri, 02 Jan 2026 03:04:06 GMT', 200],
    ['nonsense', 'nonsense', 200],
  ])('If-Range with %s', async (_, ifRange, status) => {
    const response = await get({ range: 'bytes=0-9', 'if-range': ifRange })
    expect(response.status).toBe(status)
    expect((await bytes(response)).length).toBe(status === 206 ? 10 : 300_000)
  })
})

test.each([
  ['if-none-match', ETAG, 304],
  ['if-none-match', `"other", W/${ETAG}`, 304],
  ['if-none-match', '*', 304],
  ['if-none-match', '"other"', 200],
  ['if-modified-since', 'Fri, 02 Jan 2026 03:04:05 GMT', 304],
  ['if-modified-since', 'Fri, 02 Jan 2026 03:04:04 GMT', 200],
  ['if-modified-since', 'nonsense', 200],
  ['if-match', ETAG, 200],
  ['if-match', '*', 200],
  ['if-match', `W/${ETAG}`, 412],
  ['if-match', '"other"', 412],
  ['if-unmodified-since', 'Fri, 02 Jan 2026 03:04:05 GMT', 200],
  ['if-unmodified-since', 'Fri, 02 Jan 2026 03:04:04 GMT', 412],
])('%s: %s is answered with %i', async (header, value, status) => {
  const response = await get({ [header]: value })
  expect(response.status).toBe(status)
  expect(response.headers.get('etag')).toBe(ETAG)
  expect((await bytes(response)).length).toBe(status === 200 ? 300_000 : 0)
})

test('If-None-Match is stronger than If-Modified-Since', async () => {
  const response = await get({
    'if-none-match': '"other"',
    'if-modified-since': 'Fri, 02 Jan 2026 03:04:05 GMT',
  })
  expect(response.status).toBe(200)
})

test('an empty file is sent, and has no part', async () => {
  source = sourceOf(Buffer.alloc(0), { open: () => Readable.from([]) })
  const response = await get()
  expect(response.status).toBe(200)
  expect(response.headers.get('content-length')).toBe('0')
  expect((await get({ range: 'bytes=0-' })).status).toBe(416)
})

test.each([
  ['größe "1".txt', `filename="gr__e _1_.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.txt`],
  ["it's (50%*).txt", `filename="it's (50_*).txt"; filename*=UTF-8''it%27s%20%2850%25%2A%29.txt`],
  ['a\r\nSet-Cookie: x', `filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x`],
  ['\ud800.txt', `filename="_.txt"; filename*=UTF-8''%EF%BF%BD.txt`],
])('the name %j is safe in a header', async (filename, expected) => {
  source = sourceOf(CONTENT, { filename })
  const response = await get()
  expect(response.headers.get('content-disposition')).toBe(`attachment; ${expected}`)
  expect(response.headers.get('set-cookie')).toBeNull()
  await bytes(response)
})

describe('trouble', () => {
  /** More than sockets buffer, so that sending waits for the client. */
  const LARGE = 64 * 1024 * 1024

  test('a client that leaves ends the source', async () => {
    let chunks = 0
    const body = new Readable({
      read() {
        chunks += 1
        this.push(Buffer.alloc(65_536))
      },
    })
    source = sourceOf(CONTENT, { sizeBytes: LARGE, open: () => body })
    const req = request(url)
    req.end()
    const [res] = await once(req, 'response')
    await once(res, 'data')
    res.on('error', () => {})
    res.destroy()

    expect(await outcome).toMatchObject({ status: 200, aborted: true })
    expect(body.destroyed).toBe(true)
    expect(chunks * 65_536).toBeLessThan(LARGE)
  })

  test('a client that leaves while the source has nothing to say ends the source', async () => {
    const body = new Readable({ read() {} })
    body.push('first')
    source = sourceOf(CONTENT, { open: () => body })
    const req = request(url)
    req.end()
    const [res] = await once(req, 'response')
    res.on('error', () => {})
    res.destroy()
    expect(await outcome).toMatchObject({ aborted: true, bytesSent: 5 })
    expect(body.destroyed).toBe(true)
  })

  test('a client that leaves while the source is opened ends it', async () => {
    const body = Readable.from([CONTENT])
    const opening = Promise.withResolvers<Readable>()
    const asked = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    server.prependListener('request', (_req, res) => res.once('close', gone.resolve))
    source = sourceOf(CONTENT, {
      open: () => {
        asked.resolve()
        return opening.promise
      },
    })
    const req = request(url)
    req.on('error', () => {})
    req.end()
    await asked.promise
    req.destroy()
    await gone.promise
    opening.resolve(body)
    expect(await outcome).toEqual({ status: 200, bytesSent: 0, aborted: true })
    expect(body.destroyed).toBe(true)
  })

  test('a source that cannot be opened leaves the answer to the caller', async () => {
    source = sourceOf(CONTENT, { open: () => Promise.reject(new Error('not there')) })
    const response = await get()
    expect(response.status).toBe(500)
    await expect(outcome).rejects.toThrow('not there')
  })

  test('so does one that fails before its first byte', async () => {
    source = sourceOf(CONTENT, { open: () => new Readable({ read: failToRead }) })
    const response = await get()
    expect(response.status).toBe(500)
    expect(response.headers.get('content-disposition')).toBeNull()
    await expect(outcome).rejects.toThrow('bad disk')
  })

  function failToRead(this: Readable) {
    this.destroy(new Error('bad disk'))
  }

  async function* failing() {
    yield CONTENT.subarray(0, 1000)
    throw new Error('bad disk')
  }

  test.each([
    ['fails in the middle', () => Readable.from(failing()), 'bad disk'],
    ['ends too early', () => Readable.from([CONTENT.subarray(0, 1000)]), 'ended after 1000'],
    ['is longer than it said', () => Readable.from([CONTENT.subarray(1), CONTENT]), 'turned out longer'],
  ])('a source that %s cuts the connection', async (_, open, message) => {
    source = sourceOf(CONTENT, { open })
    await expect(get().then(bytes)).rejects.toThrow(/fetch failed|terminated/)
    await expect(outcome).rejects.toThrow(message)
  })
})
