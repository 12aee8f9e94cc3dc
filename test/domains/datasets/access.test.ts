import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import {
  AccessCreateDatasetDocument,
  AccessDatasetDocument,
  AccessDatasetsDocument,
  AccessDeleteDatasetDocument,
  AccessDeleteProjectDocument,
  AccessNodeDocument,
  AccessProjectDocument,
  AccessSetMemberDocument,
  AccessUpdateDatasetDocument,
  CatalogDeleteDatasetFileDocument,
  CatalogDeleteTrainConfigDocument,
  CatalogUploadDatasetFileDocument,
  CatalogUploadTrainConfigDocument,
  type CreateDatasetInput,
  RunTryStartDocument,
  type StartRunInput,
  type UpdateDatasetInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { Answer, ApiClient } from '../../support/client.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let maker: Person
let editor: Person
let viewer: Person
let stranger: Person
beforeAll(async () => {
  app = await startTestApp()
  maker = await givenPerson(app)
  editor = await givenPerson(app)
  viewer = await givenPerson(app)
  stranger = await givenPerson(app)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

let made = 0

/** A dataset of `maker` with a file and a config. */
async function givenDataset(input: Partial<CreateDatasetInput> = {}): Promise<string> {
  const name = `data-${++made}`
  await seed(maker.api).dataset(name, { 'a.txt': 'one\n' }, 'a: 1\n')
  await update(maker, { ref: name, ...input })
  return name
}

/** A project of `maker` in which `editor` and `viewer` have their roles. */
async function givenProject(visibility: 'PRIVATE' | 'TEAM' = 'PRIVATE'): Promise<string> {
  const project = await seed(maker.api).project({ name: `of-data-${++made}`, command: ['true'], visibility })
  for (const [person, role] of [
    [editor, 'EDITOR'],
    [viewer, 'VIEWER'],
  ] as const) {
    await maker.api.send(AccessSetMemberDocument, { input: { project, user: person.username, role } })
  }
  return project
}

const find = async ({ api }: Person, ref: string) => (await api.send(AccessDatasetDocument, { ref })).dataset
const update = async ({ api }: Person, input: UpdateDatasetInput) =>
  resultOf(await api.ask(AccessUpdateDatasetDocument, { input }))

/** What came of a mutation: its result, or the answer when there is none. */
function resultOf(answer: Answer<Record<string, unknown>>): unknown {
  return Object.values(answer.data ?? {})[0] ?? answer
}

/** Everything that changes a dataset, as somebody tries it; the last takes it away. */
function changesOf(api: ApiClient, { name, fileId }: { name: string; fileId: string }) {
  const input = { dataset: name, file: null as never }
  const files = (filename: string) => ({ 'variables.input.file': new File(['b: 2\n'], filename) })
  return {
    updating: () => api.ask(AccessUpdateDatasetDocument, { input: { ref: name, source: 'elsewhere' } }),
    'uploading a file': () => api.upload(CatalogUploadDatasetFileDocument, { input }, files('b.txt')),
    'uploading a config': () => api.upload(CatalogUploadTrainConfigDocument, { input }, files('b.yaml')),
    'deleting the config': () => api.ask(CatalogDeleteTrainConfigDocument, { input: { dataset: name } }),
    'deleting a file': () => api.ask(CatalogDeleteDatasetFileDocument, { input: { fileId } }),
    deleting: () => api.ask(AccessDeleteDatasetDocument, { input: { ref: name } }),
  }
}

async function expectChanges(person: Person, name: string, expected: object) {
  const fileId = (await find(maker, name))?.files[0]?.id ?? ''
  for (const [what, change] of Object.entries(changesOf(person.api, { name, fileId }))) {
    expect(resultOf(await change()), what).toMatchObject(expected)
  }
}

const FORBIDDEN = { errors: [{ extensions: { code: 'FORBIDDEN' } }] }
const NOT_FOUND = { __typename: 'NotFoundError' }

async function expectHidden(person: Person, name: string) {
  const found = await find(maker, name)
  expect(await find(person, name)).toBeNull()
  for (const id of [found?.id, found?.files[0]?.id]) {
    expect(await person.api.send(AccessNodeDocument, { id: id ?? '' })).toEqual({ node: null })
  }
  const { datasets } = await person.api.send(AccessDatasetsDocument, { filter: { search: name } })
  expect(datasets).toEqual({ totalCount: 0, edges: [] })
  await expectChanges(person, name, NOT_FOUND)
}

describe('a dataset that is in no project', () => {
  test('is private unless it is said otherwise, and there for who made it alone', async () => {
    const name = await givenDataset()

    expect(await find(maker, name)).toMatchObject({
      visibility: 'PRIVATE',
      owner: { username: maker.username },
      project: null,
      canEdit: true,
      canDelete: true,
    })
    await expectHidden(stranger, name)
    expect((await app.api.send(AccessDatasetDocument, { ref: name })).dataset).toMatchObject({
      canDelete: true,
    })
  })

  test('is seen by the whole team when it is of the team, and changed by who made it', async () => {
    const name = await givenDataset({ visibility: 'TEAM' })

    const found = await find(stranger, name)
    expect(found).toMatchObject({ visibility: 'TEAM', canEdit: false, canDelete: false })
    expect(await stranger.api.send(AccessNodeDocument, { id: found?.files[0]?.id ?? '' })).not.toEqual({
      node: null,
    })
    await expectChanges(stranger, name, FORBIDDEN)
    for (const [what, change] of Object.entries(
      changesOf(maker.api, { name, fileId: found?.files[0]?.id ?? '' }),
    )) {
      expect(resultOf(await change()), what).not.toHaveProperty('code')
    }
  })
})

describe('a dataset that is in a project', () => {
  test('is there for the members of the project, whatever its visibility was and that of the project is', async () => {
    const project = await givenProject('TEAM')
    const name = await givenDataset({ visibility: 'TEAM' })
    await update(maker, { ref: name, project })

    expect(await find(viewer, name)).toMatchObject({ project: { name: project }, canEdit: false })
    expect(await find(editor, name)).toMatchObject({ canEdit: true, canDelete: true })
    await expectHidden(stranger, name)
    await expectChanges(viewer, name, FORBIDDEN)
    expect(await update(editor, { ref: name, source: 'the web' })).toMatchObject({ source: 'the web' })
  })

  test('is put there by those who may edit it and the project', async () => {
    const project = await givenProject()
    const create = async ({ api }: Person) =>
      resultOf(await api.ask(AccessCreateDatasetDocument, { input: { name: `into-${++made}`, project } }))

    expect(await create(editor)).toMatchObject({ __typename: 'Dataset' })
    expect(await create(viewer)).toMatchObject(FORBIDDEN)
    expect(await create(stranger)).toMatchObject(NOT_FOUND)
    const name = await givenDataset({ visibility: 'TEAM' })
    expect(await update(editor, { ref: name, project })).toMatchObject(FORBIDDEN)
  })

  test('is taken out, and to another, by who made it and the owners of the project', async () => {
    const project = await givenProject()
    const elsewhere = await seed(editor.api).project({ name: `elsewhere-${++made}` })
    const theirs = await givenDataset({ project })
    const { createDataset } = await editor.api.send(AccessCreateDatasetDocument, {
      input: { name: `of-editor-${++made}`, project },
    })
    const ref = createDataset.__typename === 'Dataset' ? createDataset.id : ''

    expect(await update(editor, { ref: theirs, project: null })).toMatchObject(FORBIDDEN)
    expect(await update(editor, { ref: theirs, project: elsewhere })).toMatchObject(FORBIDDEN)
    expect(await update(editor, { ref, project: elsewhere })).toMatchObject({ project: { name: elsewhere } })
    await update(editor, { ref, project })
    expect(await update(maker, { ref, project: null })).toMatchObject({
      project: null,
      visibility: 'PRIVATE',
    })
  })

  test('is never of the team', async () => {
    const project = await givenProject()
    const name = await givenDataset({ project })
    const input = { name: `open-${++made}`, project, visibility: 'TEAM' } as const
    const refused = { code: 'VALIDATION_FAILED' }

    expect(resultOf(await maker.api.ask(AccessCreateDatasetDocument, { input }))).toMatchObject(refused)
    expect(await update(maker, { ref: name, visibility: 'TEAM' })).toMatchObject(refused)
    expect(await update(maker, { ref: name, visibility: 'TEAM', project: null })).toMatchObject({
      visibility: 'TEAM',
    })
  })

  test('is left to who made it when the project is deleted', async () => {
    const project = await givenProject()
    const name = await givenDataset({ visibility: 'TEAM' })
    await update(maker, { ref: name, project })

    await maker.api.send(AccessDeleteProjectDocument, { input: { ref: project } })

    expect(await find(editor, name)).toBeNull()
    expect(await find(maker, name)).toMatchObject({ project: null, visibility: 'PRIVATE' })
  })
})

describe('a project that names a dataset which somebody may not see', () => {
  test('has none for them', async () => {
    const datasetName = await givenDataset()
    const ref = await seed(maker.api).project({ name: `naming-${++made}`, datasetName, visibility: 'TEAM' })
    const datasetOf = async ({ api }: Person) =>
      (await api.send(AccessProjectDocument, { ref })).project?.dataset

    expect(await datasetOf(maker)).toEqual({ name: datasetName })
    expect(await datasetOf(stranger)).toBeNull()
  })

  test('is not run by them, as if it were not uploaded', async () => {
    const project = await givenProject()
    const hidden = await givenDataset()
    const start = async (datasetName: string) =>
      resultOf(await editor.api.ask(RunTryStartDocument, { input: { project, datasetName } }))
    const missing = (name: string) => ({
      __typename: 'PreconditionFailedError',
      missing: [`dataset ${name}`],
    })

    expect(await start(hidden)).toMatchObject(missing(hidden))
    expect(await start('never-made')).toMatchObject(missing('never-made'))
    await update(maker, { ref: hidden, project })
    expect(await start(hidden)).toMatchObject({ __typename: 'Run' })
  })

  test('does not find its train config by a name', async () => {
    const hidden = await givenDataset()
    const project = await givenConfigured(hidden)

    for (const person of [editor, { api: app.api }]) {
      expect(await start(person, { project })).toMatchObject({ missing: [`train config ${hidden}`] })
    }
  })
})

/** A project of `editor` that names a train config and no dataset. */
const givenConfigured = (trainConfigName: string) =>
  seed(editor.api).project({ name: `configured-${++made}`, command: ['true'], trainConfigName })

const start = async ({ api }: Pick<Person, 'api'>, input: StartRunInput) =>
  resultOf(await api.ask(RunTryStartDocument, { input }))

/** A dataset of somebody with nothing but a config of some name. */
async function givenConfig({ api }: Person, filename: string, input: Partial<CreateDatasetInput> = {}) {
  const name = `config-${++made}`
  await api.send(AccessCreateDatasetDocument, { input: { ...input, name } })
  const file = { 'variables.input.file': new File([`of: ${name}\n`], filename) }
  await api.upload(CatalogUploadTrainConfigDocument, { input: { dataset: name, file: null as never } }, file)
  return name
}

describe('a train config that a project names without a dataset', () => {
  test('is never that of a stranger, however new it is and whoever may see it', async () => {
    const project = await givenConfigured('sft.yaml')
    await givenConfig(stranger, 'sft.yaml', { visibility: 'TEAM' })

    for (const person of [editor, { api: app.api }]) {
      expect(await start(person, { project })).toMatchObject({ missing: ['train config sft.yaml'] })
    }
    const own = await givenConfig(editor, 'sft.yaml')
    expect(await configOf(await start(editor, { project }))).toEqual({ of: own })
  })

  test('is that in the project before any other, and refused when several may be meant', async () => {
    const project = await givenConfigured('lora')
    const [one, other] = [await givenConfig(editor, 'lora.yaml'), await givenConfig(editor, 'lora.yml')]

    expect(await start(editor, { project })).toMatchObject({
      __typename: 'PreconditionFailedError',
      message: expect.stringContaining(`${one}, ${other}`),
    })
    const inside = await givenConfig(editor, 'lora.yaml', { project })
    expect(await configOf(await start(editor, { project }))).toEqual({ of: inside })
  })
})

describe('a dataset that a project names before it is there', () => {
  test('is not that of a stranger, unless who starts the run names it', async () => {
    const datasetName = `awaited-${++made}`
    const project = await seed(editor.api).project({
      name: `of-${datasetName}`,
      command: ['true'],
      datasetName,
    })
    await seed(stranger.api).dataset(datasetName, { 'a.txt': 'bad\n' })
    expect(await start(editor, { project })).toMatchObject({ missing: [`dataset ${datasetName}`] })

    await update(stranger, { ref: datasetName, visibility: 'TEAM' })
    for (const person of [editor, { api: app.api }]) {
      expect(await start(person, { project })).toMatchObject({
        missing: [`dataset ${datasetName}`],
        message: expect.stringContaining('outside the project'),
      })
    }
    expect(await start(editor, { project, datasetName })).toMatchObject({ __typename: 'Run' })
  })

  test('is that of a member, and one that was there when it was named', async () => {
    const datasetName = `awaited-${++made}`
    const project = await seed(maker.api).project({
      name: `of-${datasetName}`,
      command: ['true'],
      datasetName,
    })
    await maker.api.send(AccessSetMemberDocument, {
      input: { project, user: editor.username, role: 'EDITOR' },
    })
    await seed(editor.api).dataset(datasetName, { 'a.txt': 'good\n' })
    await update(editor, { ref: datasetName, visibility: 'TEAM' })
    expect(await start(maker, { project })).toMatchObject({ __typename: 'Run' })

    const corpus = `corpus-${++made}`
    await seed(stranger.api).dataset(corpus, { 'a.txt': 'known\n' })
    await update(stranger, { ref: corpus, visibility: 'TEAM' })
    const naming = await seed(maker.api).project({
      name: `of-${corpus}`,
      command: ['true'],
      datasetName: corpus,
    })
    expect(await start(maker, { project: naming })).toMatchObject({ __typename: 'Run' })
  })
})

/** The configuration that a run reads. */
async function configOf(started: unknown): Promise<unknown> {
  const { id } = z.object({ id: z.string() }).parse(started)
  return parse(await readFile(join(app.dataDir, 'runs', id, 'config.yaml'), 'utf8'))
}
