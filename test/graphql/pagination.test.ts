import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogProjectsDocument,
  type CatalogProjectsQueryVariables,
} from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'

const NAMES = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7']

let app: TestApp
let run: string
beforeAll(async () => {
  app = await startTestApp()
  const given = seed(app.api)
  for (const name of NAMES) await given.project({ name, script: 'console.log(1)' })
  run = await given.run({ project: 'p1' })
  await given.run({ project: 'p1' })
  await given.dataset('numbers', {})
  await given.end(run)
})
afterAll(() => app.stop())

const page = async (variables: CatalogProjectsQueryVariables) => {
  const { projects } = await app.api.send(CatalogProjectsDocument, variables)
  return { ...projects, names: projects.edges.map((edge) => edge.node.name) }
}

test('a list is read forwards, page by page, the latest first', async () => {
  const first = await page({ first: 3 })
  const second = await page({ first: 3, after: first.pageInfo.endCursor })
  const third = await page({ first: 3, after: second.pageInfo.endCursor })

  expect([first.names, second.names, third.names]).toEqual([['p7', 'p6', 'p5'], ['p4', 'p3', 'p2'], ['p1']])
  expect([first, second, third].map(({ pageInfo }) => pageInfo.hasNextPage)).toEqual([true, true, false])
  expect([first, second, third].map(({ totalCount }) => totalCount)).toEqual([7, 7, 7])
})

test('a list is read backwards, page by page, in the same order', async () => {
  const last = await page({ last: 3 })
  const before = await page({ last: 3, before: last.pageInfo.startCursor })
  const first = await page({ last: 3, before: before.pageInfo.startCursor })

  expect([last.names, before.names, first.names]).toEqual([['p3', 'p2', 'p1'], ['p6', 'p5', 'p4'], ['p7']])
  expect([last, before, first].map(({ pageInfo }) => pageInfo.hasPreviousPage)).toEqual([true, true, false])
  expect(last.totalCount).toBe(7)
})

test('each edge has the cursor of its place', async () => {
  const { edges } = await page({})

  expect(edges).toHaveLength(7)
  expect((await page({ first: 1, after: edges[2]?.cursor })).names).toEqual(['p4'])
})

test('totalCount counts what the filter selects, and is asked for alone', async () => {
  expect(
    await app.api.send(
      '{ projects(filter: { search: "p1" }, first: 1) { totalCount } all: projects { totalCount } }',
    ),
  ).toEqual({ projects: { totalCount: 1 }, all: { totalCount: 7 } })
})

test('totalCount of a nested list follows its filter', async () => {
  expect(
    await app.api.send(`{ project(ref: "p1") {
      runCount
      runs(first: 1) { totalCount edges { node { name } } }
      none: runs(filter: { status: [LOST] }) { totalCount edges { node { name } } }
    } }`),
  ).toEqual({
    project: {
      runCount: 2,
      runs: { totalCount: 2, edges: [{ node: { name: 'run-002' } }] },
      none: { totalCount: 0, edges: [] },
    },
  })
})

describe('a page size out of range is refused, whatever the list', () => {
  const LISTS = [
    'projects(ARGS) { totalCount }',
    'runs(ARGS) { edges { node { name } } }',
    'datasets(ARGS) { totalCount }',
    'project(ref: "p1") { runs(ARGS) { totalCount } }',
    'project(ref: "p1") { versions(ARGS) { edges { node { number } } } }',
    'run(id: "RUN") { artifacts(ARGS) { edges { node { name } } } }',
    'run(id: "RUN") { logs(ARGS) { totalCount } }',
  ]
  const SIZES = ['first: 0', 'first: 101', 'first: -1', 'last: 0', 'last: 101', 'last: -1']

  test.each(LISTS)('%s', async (list) => {
    for (const size of SIZES) {
      const answer = await app.api.ask(`{ ${list.replace('ARGS', size).replace('RUN', run)} }`)
      expect(answer, size).toMatchObject({ errors: [{ extensions: { code: 'VALIDATION_FAILED' } }] })
      expect(answer.errors?.[0]?.message, size).toContain('1 to 100')
    }
  })
})

describe('a cursor from elsewhere is refused', () => {
  const cursorOf = async (list: string): Promise<string> => {
    const data = await app.api.send<Record<string, { edges: { cursor: string }[] }>, object>(
      `{ list: ${list} { edges { cursor } } }`,
    )
    return data.list?.edges[0]?.cursor ?? ''
  }
  const base64 = (text: string) => Buffer.from(text).toString('base64')

  test.each([
    ['made up', async () => 'nonsense'],
    ['empty', async () => ''],
    ['of another kind of list', () => cursorOf('datasets')],
    ['of a list of runs', () => cursorOf('runs')],
    ['of another server', async () => base64('GPC:N:1')],
    ['with an object in it', async () => base64('GPC:J:{"a":1}')],
    ['with a list in it', async () => base64('GPC:J:["a"]')],
  ])('%s', async (_what, cursor) => {
    const after = await cursor()
    for (const argument of ['after', 'before']) {
      const answer = await app.api.ask(
        `query ($cursor: String!) { projects(${argument}: $cursor) { edges { node { name } } } }`,
        { cursor: after },
      )
      expect(answer, argument).toMatchObject({ errors: [{ extensions: { code: 'VALIDATION_FAILED' } }] })
    }
  })

  test('also in a nested list', async () => {
    const cursor = await cursorOf('projects')
    const answer = await app.api.ask(
      'query ($cursor: String!) { project(ref: "p1") { runs(after: $cursor) { edges { node { name } } } } }',
      { cursor },
    )
    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'VALIDATION_FAILED' } }] })
  })
})

test('a page continues behind something that was deleted meanwhile', async () => {
  await seed(app.api).project({ name: 'passing' })
  const { pageInfo } = await page({ first: 1 })
  await app.api.send('mutation { deleteProject(input: { ref: "passing" }) { __typename } }')

  expect((await page({ first: 2, after: pageInfo.endCursor })).names).toEqual(['p7', 'p6'])
})

test.each([
  [
    'a text that is too long to search for',
    '{ projects(filter: { search: $text }) { totalCount } }',
    'VALIDATION_FAILED',
  ],
  [
    'null where a default would do',
    '{ projects { edges { node { statusLabel(locale: $locale) } } } text: project(ref: $text) { id } }',
    'BAD_USER_INPUT',
  ],
])('%s is told to the client', async (_, selection, code) => {
  const variables = { text: 'x'.repeat(100_000), locale: null }
  const declared = selection.includes('$locale')
    ? '($text: String!, $locale: Locale = EN)'
    : '($text: String!)'
  const { errors } = await app.api.ask(`query ${declared} ${selection}`, variables)
  expect(errors?.[0]?.extensions?.code).toBe(code)
})
