import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogCreateDatasetDocument,
  CatalogDatasetDocument,
  CatalogDatasetsDocument,
  CatalogDeleteDatasetDocument,
  CatalogDeleteDatasetFileDocument,
  CatalogDeleteTrainConfigDocument,
  CatalogProjectDocument,
  CatalogUploadDatasetFileDocument,
  CatalogUploadTrainConfigDocument,
  type CreateDatasetInput,
  type DatasetFilter,
} from '../../../src/generated/operations.ts'
import { newId } from '../../../src/ids.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp()
  given = seed(app.api)
})
afterAll(() => app.stop())

const create = async (input: CreateDatasetInput) =>
  (await app.api.send(CatalogCreateDatasetDocument, { input })).createDataset
const find = async (ref: string) => (await app.api.send(CatalogDatasetDocument, { ref })).dataset
const upload = async (dataset: string, filename: string, text: string) =>
  (
    await app.api.upload(
      CatalogUploadDatasetFileDocument,
      { input: { dataset, file: null as never } },
      { 'variables.input.file': new File([text], filename) },
    )
  ).data?.uploadDatasetFile
const uploadConfig = async (dataset: string, text: string | Buffer<ArrayBuffer>, filename = 'train.yaml') =>
  (
    await app.api.upload(
      CatalogUploadTrainConfigDocument,
      { input: { dataset, file: null as never } },
      { 'variables.input.file': new File([text], filename) },
    )
  ).data?.uploadTrainConfig
const deleteConfig = async (dataset: string) =>
  (await app.api.send(CatalogDeleteTrainConfigDocument, { input: { dataset } })).deleteTrainConfig
const deleteFile = async (fileId: string) =>
  (await app.api.send(CatalogDeleteDatasetFileDocument, { input: { fileId } })).deleteDatasetFile
const remove = async (ref: string) =>
  (await app.api.send(CatalogDeleteDatasetDocument, { input: { ref } })).deleteDataset

/** The files that the server keeps for datasets. */
const storedFiles = () =>
  readdirSync(join(app.dataDir, 'storage'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

describe('creating a dataset', () => {
  test('keeps what is given, and is found by name and by id', async () => {
    const input = {
      name: 'full',
      type: 'alpaca',
      source: 'made up',
      taskType: 'sft',
      metadata: { rows: 2, nested: { list: [1] } },
    }
    const made = await create(input)

    expect(made).toMatchObject({ ...input, status: 'CREATED', files: [], trainConfig: null, totalBytes: 0 })
    const byName = await find('full')
    expect(await find(byName?.id ?? '')).toEqual(byName)
  })

  test('with a name that is taken is a conflict', async () => {
    await create({ name: 'taken' })

    expect(await create({ name: 'taken' })).toMatchObject({
      __typename: 'ConflictError',
      message: 'There is already a dataset named "taken".',
    })
  })

  test.each<[string, CreateDatasetInput]>([
    ['an empty name', { name: '' }],
    ['a name that looks like an id', { name: newId('Dataset') }],
    ['metadata that is no object', { name: 'wrong', metadata: ['a'] }],
  ])('is refused with %s', async (_what, input) => {
    expect(await create(input)).toMatchObject({ __typename: 'ValidationError' })
  })
})

test('the status of a dataset follows its life', async () => {
  const statusOf = async () => (await find('living'))?.status
  await create({ name: 'living' })
  expect(await statusOf()).toBe('CREATED')

  const file = await upload('living', 'a.txt', 'one\n')
  expect(await statusOf()).toBe('READY')
  await deleteFile(file?.__typename === 'DatasetFile' ? file.id : '')
  expect(await statusOf()).toBe('CREATED')

  expect(await uploadConfig('living', 'a: 1\n')).toMatchObject({ status: 'TRAIN_CONFIG_UPLOADED' })
  expect(await uploadConfig('living', 'a: 2\n')).toMatchObject({ status: 'TRAIN_CONFIG_UPLOADED' })
  expect(await deleteConfig('living')).toMatchObject({ status: 'TRAIN_CONFIG_DELETED', trainConfig: null })
  await upload('living', 'a.txt', 'one\n')
  expect(await statusOf()).toBe('TRAIN_CONFIG_DELETED')
  await uploadConfig('living', 'a: 3\n')
  expect(await statusOf()).toBe('TRAIN_CONFIG_UPLOADED')
})

test('a dataset adds up its files, by name', async () => {
  await given.dataset('summed', { 'b.txt': '12345', 'a.txt': '123' })

  expect(await find('summed')).toMatchObject({
    totalBytes: 8,
    files: [
      {
        filename: 'a.txt',
        sizeBytes: 3,
        sha256: 'a665a45920422f9d417e4867efdc4fb8a04a1f3fff1fa07e998e86f7f7a27ae3',
      },
      { filename: 'b.txt', sizeBytes: 5 },
    ],
  })
})

test('a project finds its dataset once that exists', async () => {
  const project = await given.project({ datasetName: 'awaited' })
  const datasetOf = async () =>
    (await app.api.send(CatalogProjectDocument, { ref: project })).project?.dataset

  expect(await datasetOf()).toBeNull()
  await create({ name: 'awaited' })
  expect(await datasetOf()).toMatchObject({ name: 'awaited' })
})

describe('deleting', () => {
  test('a file takes its bytes along', async () => {
    const before = storedFiles()
    await create({ name: 'lighter' })
    const file = await upload('lighter', 'a.txt', 'one\n')
    expect(storedFiles()).toHaveLength(before.length + 1)

    expect(await deleteFile(file?.__typename === 'DatasetFile' ? file.id : '')).toMatchObject({
      files: [],
      totalBytes: 0,
    })
    expect(storedFiles()).toEqual(before)
  })

  test('a dataset takes its files and its config along', async () => {
    const before = storedFiles()
    await given.dataset('doomed', { 'a.txt': 'one\n', 'b.txt': 'two\n' }, 'a: 1\n')

    expect(await remove('doomed')).toMatchObject({ __typename: 'Dataset', files: [{}, {}] })
    expect(await find('doomed')).toBeNull()
    expect(storedFiles()).toEqual(before)
    expect(await create({ name: 'doomed' })).toMatchObject({ status: 'CREATED', trainConfig: null })
  })

  test('what is not there says so', async () => {
    await create({ name: 'plain' })

    expect(await remove('nothing')).toMatchObject({ __typename: 'NotFoundError' })
    expect(await deleteFile(newId('DatasetFile'))).toMatchObject({ __typename: 'NotFoundError' })
    expect(await deleteConfig('nothing')).toMatchObject({ __typename: 'NotFoundError' })
    expect(await deleteConfig('plain')).toMatchObject({
      __typename: 'PreconditionFailedError',
      missing: ['train config'],
    })
  })

  test('a dataset or file that an active run uses is a conflict, until the run is over', async () => {
    await given.dataset('used', { 'a.txt': 'one\n' })
    const fileId = (await find('used'))?.files[0]?.id ?? ''
    const project = await given.project({ script: 'setInterval(() => {}, 1000)', datasetName: 'used' })
    const run = await given.run({ project })
    await given.when(run, 'running', ({ status }) => status === 'RUNNING')

    expect(await remove('used')).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringContaining('run-001'),
    })
    expect(await deleteFile(fileId)).toMatchObject({ __typename: 'ConflictError' })
    expect(await find('used')).toMatchObject({ status: 'READY', files: [{ filename: 'a.txt' }] })

    await given.cancel(run, 0)
    await given.end(run)
    expect(await remove('used')).toMatchObject({ __typename: 'Dataset' })
  })
})

describe('a train config', () => {
  beforeAll(async () => {
    await create({ name: 'configured' })
  })

  test('is kept as it was written, and read', async () => {
    const text = '# how to train\nlearning_rate: 1.0e-4\nlora: &l {rank: 8}\ncopy: *l\nname: 训练\n'

    expect(await uploadConfig('configured', text)).toMatchObject({
      trainConfig: {
        filename: 'train.yaml',
        sizeBytes: Buffer.byteLength(text),
        text,
        content: { learning_rate: 0.0001, lora: { rank: 8 }, copy: { rank: 8 }, name: '训练' },
      },
    })
  })

  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    .concat(
      'bcdefghi'.split('').map((name, index) => {
        const before = 'abcdefgh'.charAt(index)
        return `${name}: &${name} [${Array(10).fill(`*${before}`).join(', ')}]`
      }),
    )
    .join('\n')

  test.each<[string, string | Buffer<ArrayBuffer>, string, RegExp]>([
    ['that is not YAML', 'a: [1, 2\nb: {', 'train.yaml', /line \d+/],
    ['with tabs for spaces', 'a:\n\tb: 1\n', 'train.yaml', /line 2/],
    ['that is a list', '- 1\n- 2\n', 'train.yaml', /mapping/],
    ['that is a text', 'just words\n', 'train.yaml', /mapping/],
    ['that is empty', '', 'train.yaml', /empty/],
    ['of two documents', 'a: 1\n---\nb: 2\n', 'train.yaml', /line 2.*second document/],
    ['with a key twice', 'a: 1\na: 2\n', 'train.yaml', /line 2.*twice/],
    ['with a tag that runs code', 'a: !!python/object/apply:os.system ["true"]\n', 'train.yaml', /line 1/],
    ['with __proto__ in it', 'a: {__proto__: {polluted: true}}\n', 'train.yaml', /line 1.*__proto__/],
    ['that is a bomb of aliases', bomb, 'train.yaml', /too many values/],
    ['that stands in itself', 'a: &a [*a]\n', 'train.yaml', /inside what it refers to/],
    ['named .json', '{"a": 1}', 'train.json', /\.yaml or \.yml/],
    ['without an ending', 'a: 1\n', 'train', /\.yaml or \.yml/],
    ['that is not UTF-8', Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]), 'train.yaml', /UTF-8/],
    ['over 5 MB', `a: "${'x'.repeat(5 * 1024 * 1024)}"\n`, 'train.yaml', /larger than 5 MiB/],
  ])('%s is refused, and the one before stays', async (_what, text, filename, message) => {
    await uploadConfig('configured', 'before: true\n')

    expect(await uploadConfig('configured', text, filename)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['file'], message: expect.stringMatching(message) }],
    })
    expect((await find('configured'))?.trainConfig?.content).toEqual({ before: true })
  })

  test('for a dataset that does not exist says so', async () => {
    expect(await uploadConfig('nothing', 'a: 1\n')).toMatchObject({ __typename: 'NotFoundError' })
  })
})

describe('a list of datasets is filtered', () => {
  test.each<[string, DatasetFilter, string[]]>([
    ['status', { status: 'TRAIN_CONFIG_UPLOADED', search: 'listed' }, ['listed two']],
    ['type', { type: 'sharegpt' }, ['listed one']],
    ['kind of training', { taskType: 'dpo' }, ['listed one']],
    ['text in the source', { search: 'ELSEWHERE' }, ['listed one']],
    ['text that is nowhere', { search: 'nowhere' }, []],
  ])('by %s', async (_what, filter, names) => {
    await create({ name: 'listed one', type: 'sharegpt', taskType: 'dpo', source: 'from elsewhere' })
    await create({ name: 'listed two' })
    await uploadConfig('listed two', 'a: 1\n')

    const { datasets } = await app.api.send(CatalogDatasetsDocument, { filter })

    expect(datasets.edges.map((edge) => edge.node.name)).toEqual(names)
    expect(datasets.totalCount).toBe(names.length)
  })
})
