import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogCreateProjectDocument,
  CatalogProjectDocument,
  CatalogProjectHistoryDocument,
  CatalogProjectsDocument,
  CatalogUpdateProjectDocument,
  type CreateProjectInput,
  type ProjectFilter,
  type UpdateProjectInput,
} from '../../../src/generated/operations.ts'
import { newId } from '../../../src/ids.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const create = async (input: CreateProjectInput) =>
  (await app.api.send(CatalogCreateProjectDocument, { input })).createProject
const update = async (input: UpdateProjectInput) =>
  (await app.api.send(CatalogUpdateProjectDocument, { input })).updateProject
const find = async (ref: string) => (await app.api.send(CatalogProjectDocument, { ref })).project
const historyOf = async (ref: string) => {
  const { project } = await app.api.send(CatalogProjectHistoryDocument, { ref })
  return project?.versions.edges.map((edge) => edge.node) ?? []
}

const FULL = {
  name: 'full',
  description: 'What it is.',
  objective: 'What it is for.',
  taskType: 'sft',
  baseModel: 'tiny',
  tags: ['b', 'a', 'c'],
  defaultHyperparameters: { learning_rate: 0.001, nested: { list: [1, 'two', null] } },
  datasetName: 'later',
  trainConfigName: 'later.yaml',
  command: ['python', 'train.py', '{config}'],
  resumeArgs: ['--resume', '{checkpoint}'],
  workingDirectory: '/tmp',
  status: 'ACTIVE',
} satisfies CreateProjectInput

describe('creating a project', () => {
  test('keeps what is given, and is found by name and by id', async () => {
    const made = await create(FULL)

    expect(made).toMatchObject({
      ...FULL,
      __typename: 'Project',
      owner: { username: 'admin' },
      dataset: null,
      runCount: 0,
    })
    const byName = await find('full')
    expect(byName).toMatchObject(FULL)
    expect(await find(byName?.id ?? '')).toEqual(byName)
  })

  test('needs a name only', async () => {
    expect(await create({ name: '  bare  ' })).toMatchObject({
      name: 'bare',
      description: null,
      tags: [],
      defaultHyperparameters: {},
      datasetName: null,
      command: ['bash', 'run_train_full_sft.sh', '{config}'],
      resumeArgs: [],
      status: 'DRAFT',
    })
  })

  test('with a name that is taken is a conflict', async () => {
    await create({ name: 'taken' })

    expect(await create({ name: 'taken' })).toMatchObject({
      __typename: 'ConflictError',
      code: 'CONFLICT',
      message: 'There is already a project named "taken".',
    })
  })

  test('twice at once makes one', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => create({ name: 'raced' })))

    expect(made.map(({ __typename }) => __typename).sort()).toEqual([
      'ConflictError',
      'ConflictError',
      'ConflictError',
      'Project',
    ])
  })

  test.each<[string, Partial<CreateProjectInput>, string[]]>([
    ['an empty name', { name: ' ' }, ['name']],
    ['a name that is too long', { name: 'x'.repeat(201) }, ['name']],
    ['a name with a line break', { name: 'a\nb' }, ['name']],
    ['a name that looks like an id', { name: newId('Project') }, ['name']],
    ['a command without a program', { command: [] }, ['command']],
    ['a command with NUL in it', { command: ['a\0'] }, ['command', '0']],
    ['hyperparameters that are a list', { defaultHyperparameters: [1] }, ['defaultHyperparameters']],
    [
      'hyperparameters with a prototype in them',
      { defaultHyperparameters: { list: [{ ['__proto__']: { lr: 1 } }] } },
      ['defaultHyperparameters'],
    ],
    ['a relative working directory', { workingDirectory: 'here' }, ['workingDirectory']],
    ['an empty tag', { tags: ['a', ''] }, ['tags', '1']],
  ])('is refused with %s, saying where', async (_what, fields, path) => {
    expect(await create({ name: 'wrong', ...fields })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path }],
    })
    expect(await find('wrong')).toBeNull()
  })

  test('says all that is wrong at once', async () => {
    expect(await create({ name: '', command: [], workingDirectory: 'here' })).toMatchObject({
      issues: [{ path: ['name'] }, { path: ['command'] }, { path: ['workingDirectory'] }],
    })
  })

  test('keeps hyperparameters as they are, whatever their names', async () => {
    const name = 'odd keys'
    const defaultHyperparameters = { constructor: 2, 'a.b': 3, '': 4, 训练: 5 }
    await create({ name, defaultHyperparameters })

    const stored = (await find(name))?.defaultHyperparameters
    expect(JSON.stringify(stored)).toBe(JSON.stringify(defaultHyperparameters))
  })
})

test.each([
  ['DRAFT', 'Draft', '草稿'],
  ['ACTIVE', 'Active', '进行中'],
  ['PAUSED', 'Paused', '已暂停'],
  ['COMPLETED', 'Completed', '已完成'],
  ['ARCHIVED', 'Archived', '已归档'],
] as const)('the status %s reads %s, and %s in Chinese', async (status, statusLabel, statusLabelZh) => {
  expect(await create({ name: `labelled ${status}`, status })).toMatchObject({
    status,
    statusLabel,
    statusLabelZh,
  })
})

describe('updating a project', () => {
  test('changes what is given and leaves the rest', async () => {
    await create({ ...FULL, name: 'partly' })
    const changed = await update({ ref: 'partly', objective: 'Another.', status: 'PAUSED', tags: ['z', 'a'] })

    const expected = { ...FULL, name: 'partly', objective: 'Another.', status: 'PAUSED', tags: ['z', 'a'] }
    expect(changed).toMatchObject(expected)
    expect(await find('partly')).toMatchObject(expected)
  })

  test('renames it: the old name is free again', async () => {
    await create({ name: 'old name' })
    await update({ ref: 'old name', name: 'new name' })

    expect(await find('old name')).toBeNull()
    expect(await find('new name')).not.toBeNull()
    expect(await create({ name: 'old name' })).toMatchObject({ __typename: 'Project' })
  })

  test('to a name that is taken is a conflict, and changes nothing', async () => {
    await create({ name: 'first' })
    await create({ name: 'second', objective: 'before' })

    expect(await update({ ref: 'second', name: 'first', objective: 'after' })).toMatchObject({
      __typename: 'ConflictError',
    })
    expect(await find('second')).toMatchObject({ objective: 'before' })
    expect(await historyOf('second')).toHaveLength(1)
  })

  test('with null empties a field', async () => {
    await create({ ...FULL, name: 'emptied' })
    const emptied = await update({
      ref: 'emptied',
      description: null,
      objective: null,
      taskType: null,
      baseModel: null,
      datasetName: null,
      trainConfigName: null,
      workingDirectory: null,
      tags: null,
      defaultHyperparameters: null,
      resumeArgs: null,
    })

    expect(emptied).toMatchObject({
      description: null,
      objective: null,
      taskType: null,
      baseModel: null,
      datasetName: null,
      trainConfigName: null,
      workingDirectory: null,
      tags: [],
      defaultHyperparameters: {},
      resumeArgs: [],
    })
  })

  test.each<[string, Partial<UpdateProjectInput>]>([
    ['name', { name: null }],
    ['command', { command: null }],
    ['status', { status: null }],
  ])('with null for %s, which cannot be empty, is refused', async (field, fields) => {
    await create({ name: `null ${field}` })
    expect(await update({ ref: `null ${field}`, ...fields })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: [field] }],
    })
  })

  test('of a project that does not exist says so', async () => {
    expect(await update({ ref: 'nothing', objective: 'x' })).toMatchObject({
      __typename: 'NotFoundError',
      message: 'There is no project "nothing".',
    })
  })
})

describe('the history of a project', () => {
  test('tells what changed, from what, to what, when and by whom, the latest first', async () => {
    const before = Date.now()
    await create({ name: 'told', objective: 'first', tags: ['a'] })
    await update({ ref: 'told', objective: 'second', tags: ['a'] })
    await update({ ref: 'told', name: 'retold', tags: ['b', 'a'], defaultHyperparameters: { lr: 1 } })
    await update({ ref: 'retold', objective: null })

    const versions = await historyOf('retold')
    expect(versions.map(({ number }) => number)).toEqual([4, 3, 2, 1])
    expect(versions.slice(0, 3).map(({ changes }) => changes)).toEqual([
      [{ field: 'objective', from: 'second', to: null }],
      [
        { field: 'name', from: 'told', to: 'retold' },
        { field: 'defaultHyperparameters', from: {}, to: { lr: 1 } },
        { field: 'tags', from: ['a'], to: ['b', 'a'] },
      ],
      [{ field: 'objective', from: 'first', to: 'second' }],
    ])
    expect(versions[3]?.changes).toContainEqual({ field: 'name', from: null, to: 'told' })
    expect(versions.every(({ changedBy }) => changedBy.username === 'admin')).toBe(true)
    for (const { createdAt } of versions) {
      expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(before)
      expect(Date.parse(createdAt)).toBeLessThanOrEqual(Date.now())
    }
  })

  test('has nothing of an update that changes nothing', async () => {
    await create({ name: 'same', tags: ['a', 'b'], defaultHyperparameters: { a: 1, b: 2 } })
    const before = await find('same')
    await update({ ref: 'same' })
    await update({ ref: 'same', name: 'same', tags: ['a', 'b'], defaultHyperparameters: { b: 2, a: 1 } })

    expect(await historyOf('same')).toHaveLength(1)
    expect((await find('same'))?.updatedAt).toBe(before?.updatedAt)
  })

  test('loses none of several updates at once', async () => {
    await create({ name: 'busy' })
    await Promise.all(
      [1, 2, 3, 4, 5].map((number) => update({ ref: 'busy', objective: `objective ${number}` })),
    )

    const versions = await historyOf('busy')
    expect(versions.map(({ number }) => number)).toEqual([6, 5, 4, 3, 2, 1])
    for (const [index, version] of versions.slice(0, 4).entries()) {
      expect(version.changes[0]?.from).toBe(versions[index + 1]?.changes[0]?.to)
    }
  })

  test('is read page by page', async () => {
    await create({ name: 'paged' })
    for (const objective of ['a', 'b', 'c']) await update({ ref: 'paged', objective })

    const first = await app.api.send(CatalogProjectHistoryDocument, { ref: 'paged', first: 3 })
    const second = await app.api.send(CatalogProjectHistoryDocument, {
      ref: 'paged',
      first: 3,
      after: first.project?.versions.pageInfo.endCursor,
    })
    expect(first.project?.versions).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: true } })
    expect(second.project?.versions).toMatchObject({
      pageInfo: { hasNextPage: false },
      edges: [{ node: { number: 1 } }],
    })
  })
})

describe('a list of projects is filtered', () => {
  let filtered: TestApp
  beforeAll(async () => {
    filtered = await startTestApp()
    const given = seed(filtered.api)
    await given.project({
      name: 'alpha',
      tags: ['math', 'old'],
      status: 'ACTIVE',
      objective: 'Count to ten.',
    })
    await given.project({ name: 'beta', tags: ['math'], status: 'ARCHIVED', description: 'Reads 100% of it' })
    await given.project({ name: 'gamma_1', tags: ['text'], status: 'ACTIVE' })
  })
  afterAll(() => filtered.stop())

  const userId = async () =>
    (await filtered.api.send<{ viewer: { id: string } }, object>('{ viewer { id } }')).viewer.id

  test.each<[string, ProjectFilter | (() => Promise<ProjectFilter>), string[]]>([
    ['nothing', {}, ['gamma_1', 'beta', 'alpha']],
    ['its owner by name', { owner: 'admin' }, ['gamma_1', 'beta', 'alpha']],
    ['its owner by id', async () => ({ owner: await userId() }), ['gamma_1', 'beta', 'alpha']],
    ['an owner that does not exist', { owner: 'nobody' }, []],
    ['its status', { status: 'ACTIVE' }, ['gamma_1', 'alpha']],
    ['a tag', { tag: 'math' }, ['beta', 'alpha']],
    ['a part of a tag, which is no tag', { tag: 'mat' }, []],
    ['tag and status together', { tag: 'math', status: 'ACTIVE' }, ['alpha']],
    ['text in the name', { search: 'amm' }, ['gamma_1']],
    ['text in the objective, whatever the case', { search: 'COUNT' }, ['alpha']],
    ['text in the description', { search: '100%' }, ['beta']],
    ['text that is nowhere', { search: 'nowhere' }, []],
  ])('by %s', async (_what, filter, names) => {
    const { projects } = await filtered.api.send(CatalogProjectsDocument, {
      filter: typeof filter === 'function' ? await filter() : filter,
    })
    expect(projects.edges.map((edge) => edge.node.name)).toEqual(names)
    expect(projects.totalCount).toBe(names.length)
  })
})
