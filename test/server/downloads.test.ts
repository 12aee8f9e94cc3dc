import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogArtifactsDocument,
  CatalogDatasetDocument,
  CatalogDeleteDatasetFileDocument,
} from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'

const TEXT = '0123456789\n'
const SHA256 = createHash('sha256').update(TEXT).digest('hex')

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp()
  given = seed(app.api)
  await given.dataset('numbers', { 'digits 数字.txt': TEXT })
})
afterAll(() => app.stop())

async function linkTo(dataset: string, on: TestApp = app): Promise<{ id: string; url: string }> {
  const answer = await on.api.send(CatalogDatasetDocument, { ref: dataset })
  const file = answer.dataset?.files[0]
  return { id: file?.id ?? '', url: file?.downloadUrl ?? '' }
}

describe('the link to a file of a dataset', () => {
  test('gives all of it to whoever has the link', async () => {
    const { url } = await linkTo('numbers')
    const response = await fetch(url)

    expect(response.status).toBe(200)
    expect(await response.text()).toBe(TEXT)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-length': String(TEXT.length),
      'accept-ranges': 'bytes',
      'content-disposition': expect.stringContaining("UTF-8''digits%20%E6%95%B0%E5%AD%97.txt"),
      'x-content-type-options': 'nosniff',
      etag: `"${SHA256}"`,
    })
  })

  test.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/11'],
    ['bytes=8-', 206, '89\n', 'bytes 8-10/11'],
    ['bytes=-2', 206, '9\n', 'bytes 9-10/11'],
    ['bytes=50-', 416, '', 'bytes */11'],
  ])('gives %s of it', async (range, status, text, contentRange) => {
    const response = await fetch((await linkTo('numbers')).url, { headers: { Range: range } })

    expect(response.status).toBe(status)
    expect(await response.text()).toBe(text)
    expect(response.headers.get('content-range')).toBe(contentRange)
  })

  test('is asked about without the bytes', async () => {
    const response = await fetch((await linkTo('numbers')).url, { method: 'HEAD' })

    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toBe(String(TEXT.length))
  })

  test.each<[string, (url: URL) => void]>([
    ['with another id', (url) => url.pathname.replace('file_', 'file_1')],
    ['with another name', (url) => url.pathname.replace('digits', 'numbers')],
    ['with a later end', (url) => url.searchParams.set('expires', '99999999999')],
    ['with another signature', (url) => url.searchParams.set('signature', 'A'.repeat(43))],
    ['without a signature', (url) => url.searchParams.delete('signature')],
    ['with a parameter more', (url) => url.searchParams.set('user', 'admin')],
    ['with the end twice', (url) => url.searchParams.append('expires', '99999999999')],
  ])('that was changed, %s, is refused', async (_what, change) => {
    const url = new URL((await linkTo('numbers')).url)
    const before = url.href
    const changed = change(url)
    if (typeof changed === 'string') url.pathname = changed
    expect(url.href).not.toBe(before)

    const response = await fetch(url)

    expect(response.status).toBe(403)
    expect(await response.text()).toBe('This link is not valid.\n')
  })

  test('whose time is over is gone', async () => {
    const brief = await startTestApp({ downloadMinutes: 0 })
    await seed(brief.api).dataset('numbers', { 'a.txt': TEXT })
    const response = await fetch((await linkTo('numbers', brief)).url)
    await brief.stop()

    expect(response.status).toBe(410)
    expect(await response.text()).toContain('expired')
  })

  test('leads nowhere once the file is deleted', async () => {
    await given.dataset('passing', { 'a.txt': TEXT })
    const { id, url } = await linkTo('passing')
    expect((await fetch(url)).status).toBe(200)
    await app.api.send(CatalogDeleteDatasetFileDocument, { input: { fileId: id } })

    const response = await fetch(url)

    expect(response.status).toBe(404)
    expect(await response.text()).toContain('does not exist any more')
  })

  test('works after a restart, and says the address that clients are told to use', async () => {
    const { url } = await linkTo('numbers')
    const { pathname, search } = new URL(url)
    await app.restart()

    expect(await (await fetch(app.url + pathname + search)).text()).toBe(TEXT)
  })
})

describe('the link to an artifact', () => {
  test('that is a folder gives a tar archive that is what its checksum says, whole or in parts', async () => {
    const project = await given.project({
      script: `
        const fs = require('node:fs')
        const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-7'
        fs.mkdirSync(folder + '/nested', { recursive: true })
        fs.writeFileSync(folder + '/model.bin', Buffer.alloc(100_000, 'weights'))
        fs.writeFileSync(folder + '/nested/状态.json', '{"step":7}')
      `,
    })
    const run = await given.end(await given.run({ project }))
    const { run: found } = await app.api.send(CatalogArtifactsDocument, { id: run.id })
    const checkpoint = found?.artifacts.edges[0]?.node

    const whole = Buffer.from(await (await fetch(checkpoint?.downloadUrl ?? '')).arrayBuffer())
    const part = await fetch(checkpoint?.downloadUrl ?? '', { headers: { Range: 'bytes=1000-60000' } })

    expect(checkpoint).toMatchObject({ name: 'checkpoint-7', type: 'CHECKPOINT', isFolder: true })
    expect(createHash('sha256').update(whole).digest('hex')).toBe(checkpoint?.sha256)
    expect(part.status).toBe(206)
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(1000, 60_001))).toBe(true)

    const folder = mkdtempSync(join(tmpdir(), 'trainyard-test-'))
    try {
      writeFileSync(join(folder, 'archive.tar'), whole)
      execFileSync('tar', ['-xf', 'archive.tar'], { cwd: folder })
      expect(readdirSync(join(folder, 'checkpoint-7')).sort()).toEqual(['model.bin', 'nested'])
      expect(readFileSync(join(folder, 'checkpoint-7/nested/状态.json'), 'utf8')).toBe('{"step":7}')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('whose bytes are gone from the disk says so', async () => {
    const project = await given.project({
      script: `require('node:fs').writeFileSync(process.env.TRAINYARD_OUTPUT_DIR + '/eval.json', '{}')`,
    })
    const run = await given.end(await given.run({ project }))
    rmSync(join(app.dataDir, 'runs', run.id, 'output', 'eval.json'))

    expect((await fetch(run.artifacts.edges[0]?.node.downloadUrl ?? '')).status).toBe(404)
  })
})

test('a download takes no other method', async () => {
  expect((await fetch((await linkTo('numbers')).url, { method: 'DELETE' })).status).toBe(405)
})

describe('a path that leads elsewhere', () => {
  /** The answer to a request with this target as it stands; `fetch` would tidy it up. */
  async function ask(target: string): Promise<{ status: number; body: string }> {
    const { hostname, port } = new URL(app.url)
    const outgoing = request({ hostname, port, path: target, method: 'GET' }).end()
    const [response]: [IncomingMessage] = (await once(outgoing, 'response')) as [IncomingMessage]
    return { status: response.statusCode ?? 0, body: await text(response) }
  }

  test.each([
    '/downloads/../secret.key',
    '/downloads/dataset-files/../../../secret.key',
    '/downloads/dataset-files/%2e%2e/%2e%2e/secret.key',
    '/downloads/dataset-files/%252e%252e%252f%252e%252e%252fsecret.key',
    '/downloads/artifacts/..%5c..%5csecret.key',
    '/downloads/artifacts//etc/passwd',
    '/downloads/%00',
    '//etc/passwd',
    '/graphql/../../etc/passwd',
    '/account/..%2f..%2fsecret.key',
  ])('%s gives nothing, whether it has the signature of another link or none', async (target) => {
    const { url } = await linkTo('numbers')
    const signature = new URL(url).search

    for (const path of [target, target + signature]) {
      const { status, body } = await ask(path)
      expect([400, 403, 404]).toContain(status)
      expect(body).not.toMatch(/root:|BEGIN|node_modules/)
    }
  })
})
