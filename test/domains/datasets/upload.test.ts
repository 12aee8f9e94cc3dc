import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogCreateApiTokenDocument,
  CatalogDatasetDocument,
  CatalogUploadDatasetFileDocument,
  CatalogUploadTrainConfigDocument,
  StartRunDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { beginUpload } from '../../support/raw-upload.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'

const MAX_BYTES = 4096

let app: TestApp
let token: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxDatasetFileBytes: MAX_BYTES })
  given = seed(app.api)
  const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, { input: { name: 'raw' } })
  token = createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? '') : ''
})
afterAll(() => app.stop())

const upload = async (dataset: string, filename: string, content: BlobPart) =>
  (
    await app.api.upload(
      CatalogUploadDatasetFileDocument,
      { input: { dataset, file: null as never } },
      { 'variables.input.file': new File([content], filename) },
    )
  ).data?.uploadDatasetFile
const find = async (ref: string) => (await app.api.send(CatalogDatasetDocument, { ref })).dataset

/** Everything the server keeps for datasets, unfinished files too. */
const storedFiles = () =>
  readdirSync(join(app.dataDir, 'storage'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describe('a file is checked for being what its name says', () => {
  beforeAll(() => given.dataset('checked', {}))

  test.each([
    ['a.json', '[{"a": 1}]'],
    ['a.jsonl', '{"a": 1}\n\n{"a": 2}'],
    ['a.csv', 'a,b\n1,"two\nlines"\n'],
    ['a.txt', '训练\n'],
    ['a.bin', Buffer.from([0, 255, 1])],
  ])('%s is stored', async (filename, content) => {
    expect(await upload('checked', filename, content)).toMatchObject({
      filename,
      sizeBytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
    })
  })

  test.each([
    ['b.json', '{\n  "a": 1,\n  "b": oops\n}', 'line 3'],
    ['b.json', '{"a": 1', 'line 1'],
    ['b.jsonl', '{"a": 1}\n{"a": 2}\n{"a": 3\n{"a": 4}\n', 'line 3'],
    ['b.csv', 'a,b\n1,2\n1,2,3\n', 'line 3'],
    ['b.txt', Buffer.from('one\ntwo\n\xff\xfe\n', 'latin1'), 'line 3'],
  ])('%s with a bad line is refused, and the line named', async (filename, content, line) => {
    const before = storedFiles()

    expect(await upload('checked', filename, content)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['file'], message: expect.stringContaining(line) }],
    })
    expect(storedFiles()).toEqual(before)
    expect((await find('checked'))?.files.map((file) => file.filename)).not.toContain(filename)
  })
})

describe('the size of a file', () => {
  beforeAll(() => given.dataset('sized', {}))

  test('may be what is accepted', async () => {
    expect(await upload('sized', 'largest.txt', 'x'.repeat(MAX_BYTES))).toMatchObject({
      sizeBytes: MAX_BYTES,
    })
  })

  test.each([1, 100_000, 3_000_000])('must not be %i bytes more', async (more) => {
    const before = storedFiles()

    expect(await upload('sized', 'larger.txt', 'x'.repeat(MAX_BYTES + more))).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['file'], message: expect.stringContaining('larger than 4 KiB') }],
    })
    expect(storedFiles()).toEqual(before)
  })

  test('that is limited for datasets is not for train configs', async () => {
    const { data } = await app.api.upload(
      CatalogUploadTrainConfigDocument,
      { input: { dataset: 'sized', file: null as never } },
      { 'variables.input.file': new File([`a: ${'x'.repeat(2 * MAX_BYTES)}`], 'a.yaml') },
    )
    expect(data?.uploadTrainConfig).toMatchObject({ __typename: 'Dataset' })
  })
})

test('a file of many megabytes goes through where it is accepted', async () => {
  const roomy = await startTestApp({ maxDatasetFileBytes: 100_000_000 })
  await seed(roomy.api).dataset('large', {})
  const content = Buffer.alloc(40_000_000, 'abcdefghi\n')
  const { data } = await roomy.api.upload(
    CatalogUploadDatasetFileDocument,
    { input: { dataset: 'large', file: null as never } },
    { 'variables.input.file': new File([content], 'large.txt') },
  )
  await roomy.stop()

  expect(data?.uploadDatasetFile).toMatchObject({
    sizeBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  })
})

describe('an upload that is cut off half-way', () => {
  test('leaves no row, no file and no unfinished file, and the server well', async () => {
    await given.dataset('cut', {})
    const before = storedFiles()
    const uploading = await beginUpload(app.url, token, { dataset: 'cut' })
    await uploading.send('first line\n')
    await until('upload to be written', () => storedFiles().length > before.length)

    uploading.cut()

    await until('unfinished file to go', () => storedFiles().length === before.length)
    expect(await find('cut')).toMatchObject({ status: 'CREATED', files: [] })
    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
    expect(await upload('cut', 'data.txt', 'whole\n')).toMatchObject({ __typename: 'DatasetFile' })
  })

  test('by somebody who is not signed in harms nobody', async () => {
    const uploading = await beginUpload(app.url, 'garbage', { dataset: 'cut' })
    await uploading.send('first line\n')
    uploading.cut()

    expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  })

  test('in many places at once harms nobody', async () => {
    await given.dataset('cut often', {})
    const before = storedFiles()
    const uploads = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        beginUpload(app.url, token, { dataset: 'cut often', disposition: `filename="${index}.txt"` }),
      ),
    )
    for (const uploading of uploads) await uploading.send('x'.repeat(1000))
    for (const uploading of uploads) uploading.cut()

    await until('unfinished files to go', () => storedFiles().length === before.length)
    expect(await find('cut often')).toMatchObject({ status: 'CREATED', files: [] })
  })
})

test('what was unfinished when the server ended is gone when it is back', async () => {
  const other = await startTestApp()
  await seed(other.api).dataset('interrupted', {})
  const { createApiToken } = await other.api.send(CatalogCreateApiTokenDocument, { input: { name: 'raw' } })
  const uploading = await beginUpload(
    other.url,
    createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? '') : '',
    { dataset: 'interrupted' },
  )
  const temporary = () => readdirSync(join(other.dataDir, 'storage', 'tmp'))
  await uploading.send('first line\n')
  await until('upload to be written', () => temporary().length > 0)

  uploading.cut()
  await other.restart()

  expect(temporary()).toEqual([])
  const { dataset } = await other.api.send(CatalogDatasetDocument, { ref: 'interrupted' })
  expect(dataset).toMatchObject({ status: 'CREATED', files: [] })
  await other.stop()
})

test('a dataset cannot be trained on before its file is whole, and can the moment it is', async () => {
  await given.dataset('slow', {})
  const project = await given.project({ datasetName: 'slow', script: 'console.log(1)' })
  const start = async () => (await app.api.send(StartRunDocument, { input: { project } })).startRun
  const before = storedFiles()
  const uploading = await beginUpload(app.url, token, { dataset: 'slow' })
  await uploading.send('first half\n')
  await until('upload to be written', () => storedFiles().length > before.length)

  expect(await find('slow')).toMatchObject({ status: 'CREATED', files: [], totalBytes: 0 })
  expect(await start()).toMatchObject({ __typename: 'PreconditionFailedError', missing: ['dataset slow'] })

  await uploading.send('second half\n')
  expect((await uploading.finish()).status).toBe(200)

  expect(await find('slow')).toMatchObject({ status: 'READY', totalBytes: 23 })
  const started = await start()
  expect(started).toMatchObject({ __typename: 'Run' })
  if (started.__typename === 'Run') await given.end(started.id)
})

test('of two uploads of the same name at once one wins, and it is whole', async () => {
  await given.dataset('raced', {})
  const before = storedFiles()
  const contents = ['a'.repeat(3000), 'b'.repeat(3000), 'c'.repeat(3000)]
  const results = await Promise.all(contents.map((content) => upload('raced', 'same.txt', content)))

  const winner = results.findIndex((result) => result?.__typename === 'DatasetFile')
  expect(results.map((result) => result?.__typename).sort()).toEqual([
    'ConflictError',
    'ConflictError',
    'DatasetFile',
  ])
  const file = (await find('raced'))?.files
  expect(file).toHaveLength(1)
  expect(await (await fetch(file?.[0]?.downloadUrl ?? '')).text()).toBe(contents[winner])
  expect(storedFiles()).toHaveLength(before.length + 1)
})

test('a dataset that is deleted while a file arrives does not come back', async () => {
  await given.dataset('vanishing', {})
  const before = storedFiles()
  const uploading = await beginUpload(app.url, token, { dataset: 'vanishing' })
  await uploading.send('first half\n')
  await until('upload to be written', () => storedFiles().length > before.length)
  await app.api.send('mutation { deleteDataset(input: { ref: "vanishing" }) { __typename } }')

  const { status, body } = await uploading.finish()

  expect(status).toBe(200)
  expect(body).toContain('NOT_FOUND')
  expect(await find('vanishing')).toBeNull()
  await until('file to go', () => storedFiles().length === before.length)
})

describe('the name of a file', () => {
  beforeAll(() => given.dataset('named', {}))

  const uploadAs = async (disposition: string) => {
    const uploading = await beginUpload(app.url, token, { dataset: 'named', disposition })
    await uploading.send('text\n')
    return uploading.finish()
  }
  const names = async () => (await find('named'))?.files.map((file) => file.filename)

  test.each([
    ['filename="../up.txt"', 'up.txt'],
    ['filename="a/b/deep.txt"', 'deep.txt'],
    ['filename="/etc/absolute.txt"', 'absolute.txt'],
    ['filename="C:\\\\folder\\\\windows.txt"', 'windows.txt'],
    ['filename="训练 数据.txt"', '训练 数据.txt'],
    ['filename="with space; and semicolon.txt"', 'with space; and semicolon.txt'],
  ])('%s is taken without its folders', async (disposition, name) => {
    const { status, body } = await uploadAs(disposition)

    expect(status).toBe(200)
    expect(body).toContain('DatasetFile')
    expect(await names()).toContain(name)
  })

  test.each([
    ['filename=""'],
    ['filename=".."'],
    ['filename="."'],
    ['filename=".hidden"'],
    ['filename="folder/"'],
    ['filename="line\tbreak.txt"'],
    [`filename="${'x'.repeat(300)}.txt"`],
    [`filename="${'训'.repeat(100)}.txt"`],
  ])('%s is refused', async (disposition) => {
    const before = await names()
    const { status, body } = await uploadAs(disposition)

    expect(status).toBeGreaterThanOrEqual(200)
    expect(status).toBeLessThan(500)
    expect(body).toMatch(/VALIDATION_FAILED|BAD_REQUEST/)
    expect(await names()).toEqual(before)
  })

  test('with NUL in it is refused', async () => {
    const before = await names()
    const { status, body } = await uploadAs('filename="a\0b.txt"')

    expect(status).toBeLessThan(500)
    expect(body).toMatch(/VALIDATION_FAILED|BAD_REQUEST/)
    expect(await names()).toEqual(before)
  })

  test('is there once in a dataset', async () => {
    expect(await upload('named', 'once.txt', 'first')).toMatchObject({ __typename: 'DatasetFile' })
    expect(await upload('named', 'once.txt', 'second')).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining('once.txt'),
    })
  })
})

test('a file for a dataset that does not exist says so', async () => {
  expect(await upload('nothing', 'a.txt', 'text')).toMatchObject({ __typename: 'NotFoundError' })
})
