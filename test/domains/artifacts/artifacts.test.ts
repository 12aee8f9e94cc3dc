import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ArtifactFilter,
  CatalogArtifactsDocument,
  CatalogRegisterArtifactDocument,
  CatalogTagArtifactDocument,
  CatalogUntagArtifactDocument,
  type RegisterArtifactInput,
  type TagArtifactInput,
} from '../../../src/generated/operations.ts'
import { newId } from '../../../src/ids.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'

/** Leaves one of each kind. */
const SCRIPT = `
  const fs = require('node:fs')
  const write = (name, text) => {
    const path = process.env.TRAINYARD_OUTPUT_DIR + '/' + name
    fs.mkdirSync(require('node:path').dirname(path), { recursive: true })
    fs.writeFileSync(path, text)
  }
  write('checkpoint-10/model.bin', 'ten')
  write('checkpoint-20/model.bin', 'twenty')
  write('model.safetensors', 'weights')
  write('eval_results.json', '{}')
  write('events.out.tfevents.1', 'events')
  write('used.yaml', 'a: 1')
  write('notes.xyz', 'not found by itself')
  write('folder/inner.xyz', 'inner')
`

let app: TestApp
let run: string
let output: string
beforeAll(async () => {
  app = await startTestApp()
  const given = seed(app.api)
  run = await given.run({ project: await given.project({ script: SCRIPT }) })
  expect(await given.end(run)).toMatchObject({ status: 'SUCCEEDED' })
  output = join(app.dataDir, 'runs', run, 'output')
})
afterAll(() => app.stop())

const list = async (filter?: ArtifactFilter) => {
  const { run: found } = await app.api.send(CatalogArtifactsDocument, { id: run, filter })
  const artifacts = found?.artifacts.edges.map((edge) => edge.node) ?? []
  expect(found?.artifacts.totalCount).toBe(artifacts.length)
  return artifacts
}
const idOf = async (name: string) => (await list()).find((artifact) => artifact.name === name)?.id ?? ''
const tag = async (input: TagArtifactInput) =>
  (await app.api.send(CatalogTagArtifactDocument, { input })).tagArtifact
const untag = async (artifactId: string, value: TagArtifactInput['value']) =>
  (await app.api.send(CatalogUntagArtifactDocument, { input: { artifactId, value } })).untagArtifact
const register = async (input: Omit<RegisterArtifactInput, 'runId'>) =>
  (await app.api.send(CatalogRegisterArtifactDocument, { input: { runId: run, ...input } })).registerArtifact

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

describe('the artifacts of a run are filtered', () => {
  test.each([
    ['CHECKPOINT', ['checkpoint-10', 'checkpoint-20']],
    ['MODEL', ['model.safetensors']],
    ['EVALUATION', ['eval_results.json']],
    ['TENSORBOARD', ['events.out.tfevents.1']],
    ['CONFIG', ['used.yaml']],
  ] as const)('by type %s', async (type, names) => {
    expect((await list({ type })).map((artifact) => artifact.name).sort()).toEqual(names)
  })

  test('by tag, and by both', async () => {
    await tag({ artifactId: await idOf('checkpoint-10'), value: 'ARCHIVED' })
    await tag({ artifactId: await idOf('eval_results.json'), value: 'ARCHIVED' })

    expect((await list({ tag: 'ARCHIVED' })).map((artifact) => artifact.name).sort()).toEqual([
      'checkpoint-10',
      'eval_results.json',
    ])
    expect((await list({ tag: 'ARCHIVED', type: 'CHECKPOINT' })).map((artifact) => artifact.name)).toEqual([
      'checkpoint-10',
    ])
    expect(await list({ tag: 'CANDIDATE' })).toEqual([])
  })
})

describe('tagging an artifact', () => {
  test('says who did it and why, and a second tag stands beside the first', async () => {
    const artifactId = await idOf('checkpoint-20')
    await tag({ artifactId, value: 'CANDIDATE', notes: 'the best so far' })

    expect(await tag({ artifactId, value: 'RELEASE' })).toMatchObject({
      tags: [
        {
          value: 'CANDIDATE',
          label: 'Candidate',
          notes: 'the best so far',
          appliedBy: { username: 'admin' },
        },
        { value: 'RELEASE', label: 'Release', notes: null, appliedBy: { username: 'admin' } },
      ],
    })
  })

  test('again with the same tag replaces the notes', async () => {
    const artifactId = await idOf('model.safetensors')
    await tag({ artifactId, value: 'CANDIDATE', notes: 'first' })

    expect(await tag({ artifactId, value: 'CANDIDATE', notes: 'second' })).toMatchObject({
      tags: [{ value: 'CANDIDATE', notes: 'second' }],
    })
  })

  test('is undone by untagging, once', async () => {
    const artifactId = await idOf('used.yaml')
    await tag({ artifactId, value: 'CANDIDATE' })
    await tag({ artifactId, value: 'ARCHIVED' })

    expect(await untag(artifactId, 'CANDIDATE')).toMatchObject({ tags: [{ value: 'ARCHIVED' }] })
    expect(await untag(artifactId, 'CANDIDATE')).toMatchObject({
      __typename: 'ConflictError',
      message: 'Artifact used.yaml is not tagged CANDIDATE.',
    })
  })

  test('that does not exist says so', async () => {
    const artifactId = newId('Artifact')

    expect(await tag({ artifactId, value: 'RELEASE' })).toMatchObject({ __typename: 'NotFoundError' })
    expect(await untag(artifactId, 'RELEASE')).toMatchObject({ __typename: 'NotFoundError' })
  })
})

describe('registering an artifact', () => {
  test('by a path in the output folder reads and hashes it', async () => {
    const registered = await register({ path: 'notes.xyz', type: 'MODEL', step: 7 })

    expect(registered).toMatchObject({
      name: 'notes.xyz',
      type: 'MODEL',
      step: 7,
      isFolder: false,
      sizeBytes: 19,
      sha256: sha256('not found by itself'),
      uri: `file://${join(output, 'notes.xyz')}`,
    })
    const url = registered.__typename === 'Artifact' ? registered.downloadUrl : ''
    expect(await (await fetch(url)).text()).toBe('not found by itself')
  })

  test('by an absolute path, under a name of its own', async () => {
    expect(await register({ path: join(output, 'folder/inner.xyz'), name: 'renamed' })).toMatchObject({
      name: 'renamed',
      type: 'FILE',
      sha256: sha256('inner'),
    })
  })

  test('by the path of a folder takes all of it', async () => {
    expect(await register({ path: 'folder/', name: 'all' })).toMatchObject({ isFolder: true, sizeBytes: 5 })
  })

  test('by a name that begins with dots, which is a name like any other', async () => {
    writeFileSync(join(output, '..named'), 'dots')
    expect(await register({ path: '..named' })).toMatchObject({ name: '..named', sha256: sha256('dots') })
  })

  test('again under the same name replaces what was recorded, and keeps id and tags', async () => {
    writeFileSync(join(output, 'changing.xyz'), 'before')
    const before = await register({ path: 'changing.xyz' })
    const artifactId = before.__typename === 'Artifact' ? before.id : ''
    await tag({ artifactId, value: 'RELEASE' })
    writeFileSync(join(output, 'changing.xyz'), 'after')

    expect(await register({ path: 'changing.xyz' })).toMatchObject({
      id: artifactId,
      sha256: sha256('after'),
    })
    expect((await list({ tag: 'RELEASE' })).map((artifact) => artifact.id)).toContain(artifactId)
  })

  test('by URI records what is kept elsewhere', async () => {
    const registered = await register({
      uri: 's3://bucket/models/final.safetensors',
      type: 'MODEL',
      sizeBytes: 5_000_000_000,
      sha256: 'a'.repeat(64),
    })

    expect(registered).toMatchObject({
      name: 'final.safetensors',
      uri: 's3://bucket/models/final.safetensors',
      sizeBytes: 5_000_000_000,
      sha256: 'a'.repeat(64),
    })
    const url = registered.__typename === 'Artifact' ? registered.downloadUrl : ''
    expect((await fetch(url)).status).toBe(409)
  })

  test.each([
    'gs://bucket/it',
    'abfss://container@account.dfs.core.windows.net/it',
    'hf://org/model/it',
    'https://example.org/it',
  ])('by the URI %s', async (uri) => {
    expect(await register({ uri })).toMatchObject({ name: 'it', uri })
  })

  test('of a checkpoint makes the run one that can be resumed', async () => {
    const given = seed(app.api)
    const project = await given.project({ name: 'without checkpoints', script: '' })
    const bare = await given.run({ project })
    expect(await given.end(bare)).toMatchObject({ canResume: false })
    await app.api.send(CatalogRegisterArtifactDocument, {
      input: { runId: bare, uri: 's3://bucket/checkpoint', type: 'CHECKPOINT' },
    })

    expect(await given.state(bare)).toMatchObject({ canResume: true })
  })

  test('of a run that does not exist says so', async () => {
    const { registerArtifact } = await app.api.send(CatalogRegisterArtifactDocument, {
      input: { runId: newId('Run'), path: 'notes.xyz' },
    })
    expect(registerArtifact).toMatchObject({ __typename: 'NotFoundError' })
  })

  describe('refuses', () => {
    beforeAll(() => {
      symlinkSync(join(app.dataDir, 'secret.key'), join(output, 'link'))
      symlinkSync(app.dataDir, join(output, 'linked-folder'))
      symlinkSync('loop', join(output, 'loop'))
      mkdirSync(`${output}-beside`)
      writeFileSync(join(`${output}-beside`, 'file'), 'beside')
      execFileSync('sh', ['-c', 'mkfifo "$0"', join(output, 'pipe')])
    })

    test.each<[string, () => Omit<RegisterArtifactInput, 'runId'>, string]>([
      ['a path out of the folder', () => ({ path: '../config.yaml' }), 'path'],
      ['an absolute path elsewhere', () => ({ path: join(app.dataDir, 'secret.key') }), 'path'],
      ['a path into a folder of a similar name', () => ({ path: '../output-beside/file' }), 'path'],
      ['a link that leads out', () => ({ path: 'link' }), 'path'],
      ['a path through a link that leads out', () => ({ path: 'linked-folder/secret.key' }), 'path'],
      ['a link that leads to itself', () => ({ path: 'loop' }), 'path'],
      ['the folder itself', () => ({ path: '.' }), 'path'],
      ['a path to nothing', () => ({ path: 'nothing' }), 'path'],
      ['a path through a file', () => ({ path: 'notes.xyz/inner' }), 'path'],
      ['a path with NUL in it', () => ({ path: 'a\0b' }), 'path'],
      ['a path with a name that is too long', () => ({ path: 'x'.repeat(300) }), 'path'],
      ['a pipe', () => ({ path: 'pipe' }), 'path'],
      ['an empty path', () => ({ path: '' }), 'path'],
      ['neither path nor URI', () => ({}), 'path'],
      ['both path and URI', () => ({ path: 'notes.xyz', uri: 's3://bucket/key' }), 'path'],
      ['a URI of a file of this machine', () => ({ uri: 'file:///etc/passwd' }), 'uri'],
      ['a URI that a browser performs', () => ({ uri: 'javascript:alert(1)' }), 'uri'],
      ['a URI that is its own data', () => ({ uri: 'data:text/html,<b>' }), 'uri'],
      ['a URI that is too long', () => ({ uri: `s3://bucket/${'x'.repeat(2048)}` }), 'uri'],
      ['a name that leads out', () => ({ uri: 's3://bucket/key', name: 'a/../../etc/x' }), 'name'],
      ['an absolute name', () => ({ uri: 's3://bucket/key', name: '/etc/x' }), 'name'],
      ['a name with NUL in it', () => ({ uri: 's3://bucket/key', name: 'a\0b' }), 'name'],
      ['a URI that is none', () => ({ uri: 'not a uri' }), 'uri'],
      ['a checksum that is none', () => ({ uri: 's3://bucket/key', sha256: 'abc' }), 'sha256'],
      ['a step below zero', () => ({ path: 'notes.xyz', step: -1 }), 'step'],
    ])('%s', async (_what, input, field) => {
      const before = await list()

      expect(await register(input())).toMatchObject({
        __typename: 'ValidationError',
        issues: [{ path: [field] }],
      })
      expect(await list()).toEqual(
        before.map((artifact) => ({ ...artifact, downloadUrl: expect.any(String) })),
      )
    })
  })
})
