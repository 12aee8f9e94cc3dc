import { getIntrospectionQuery, parse } from 'graphql'
import { describe, expect, test } from 'vitest'
import { overviewQuery } from '../../../src/demo/report.ts'
import { toSchema } from '../../../src/graphql/index.ts'
import { costOf, MAX_COST } from '../../../src/graphql/limits/cost.ts'
import { findExcessiveVariables } from '../../../src/graphql/limits/variables.ts'

const schema = toSchema()
const costFor = (text: string, variableValues?: Record<string, unknown>, operationName?: string) =>
  costOf({ schema, document: parse(text), variableValues, operationName })

test.each<[string, number]>([
  ['{ __typename }', 1],
  ['{ viewer { username email } }', 1],
  ['{ run(id: "a") { project { owner { username } } } }', 3],
  ['{ projects(first: 10) { totalCount edges { cursor node { name } } } }', 11],
  ['{ projects { edges { node { name } } pageInfo { hasNextPage } } }', 27],
  ['{ projects(last: 2) { edges { node { runs(first: 3) { edges { node { id } } } } } } }', 11],
  ['{ run(id: "a") { metrics { key } } }', 11],
  ['{ run(id: "a") { metricSeries { buckets { min } } } }', 1011],
  ['{ run(id: "a") { metricSeries(maxPoints: 0) { buckets { min } } } }', 11],
  ['{ run(id: "a") { metricSeries(keys: ["loss"], maxPoints: 500) { pointCount } } }', 36],
  ['{ run(id: "a") { metricSeries(keys: ["loss"], maxPoints: 500) { buckets { min } } } }', 61],
  ['{ run(id: "a") { metricSeries(keys: ["a", "b"]) { a: buckets { min } b: buckets { max } } } }', 311],
  ['{ run(id: "a") { metricSeries(keys: "loss", maxPoints: -1) { buckets { min } } } }', 11],
  ['{ computeNode(id: "a") { telemetry { cpuUsage } } }', 26],
  ['{ computeNode(id: "a") { telemetry(maxPoints: 1000) { gpus { name } } } }', 111],
  ['{ telemetry { cpuUsage } }', 125],
  ['{ run(id: "a") { logs(first: 2) { totalCount edges { node { seq } } } } }', 4],
  ['{ run(id: "a") { logs(first: 2, filter: null) { totalCount } } }', 2],
  ['{ run(id: "a") { logs(first: 2, filter: { search: "a" }) { totalCount } } }', 102],
  ['subscription { runLogs(runId: "a", filter: { search: "a" }) { cursor } }', 101],
  [
    '{ ...P } fragment P on Query { projects(first: 5) { ...E } } fragment E on ProjectConnection { edges { node { id } } }',
    6,
  ],
  ['{ node(id: "a") { ... on Run { project { id } } } }', 2],
  ['mutation { login(input: {}) { __typename ... on Session { user { username } } } }', 12],
  ['mutation { a: login(input: {}) { __typename } b: login(input: {}) { __typename } }', 22],
  ['mutation { startRuns(input: { runs: [{ project: "a" }, { project: "b" }] }) { __typename } }', 21],
  [
    'mutation { startRuns(input: { runs: [{ project: "a" }, { project: "b" }] }) { ... on RunBatch { results { ... on Run { id project { id } } } } } }',
    25,
  ],
  ['mutation { cancelRuns(input: { project: "a" }) { __typename } }', 1001],
  ['subscription { runUpdated { project { name } } }', 2],
  ['{ dataset(ref: "a") { trainConfig { a: text b: text content } } }', 602],
  ['{ run(id: "a") { logs(first: 100) { edges { node { message } } } } }', 202],
])('%s costs %d', (text, cost) => {
  expect(costFor(text)).toBe(cost)
})

test('the size of a page may be a variable, with a default or without', () => {
  const text = 'query ($n: Int = 7) { projects(first: $n) { edges { node { id } } } }'

  expect(costFor(text)).toBe(8)
  expect(costFor(text, { n: 100 })).toBe(101)
  expect(costFor(text, { n: null })).toBe(26)
})

test('the parts of a batch may be in a variable', () => {
  const text =
    'mutation ($input: CancelRunsInput!, $runs: [StartRunInput!]!) { cancelRuns(input: $input) { __typename } startRuns(input: { runs: $runs }) { __typename } }'

  expect(costFor(text, { input: { runIds: ['a', 'b', 'c'] }, runs: [{ project: 'a' }] })).toBe(31 + 11)
  expect(costFor(text, {})).toBe(1001 + 1001)
})

test('the keys of a chart and the number of its points may be variables', () => {
  const text = `query ($keys: [String!] = ["loss"], $most: Int! = 100) {
    run(id: "a") { metricSeries(keys: $keys, maxPoints: $most) { buckets { min } } }
  }`

  expect(costFor(text)).toBe(1 + 10 + 2 * 5)
  expect(costFor(text, { keys: ['loss', 'acc'], most: 1000 })).toBe(1 + 10 + 2 * 100)
  expect(costFor(text, { keys: null })).toBe(1 + 10 + 2 * 50)
  expect(costFor(text, { keys: Array(500).fill('loss'), most: 10_000 })).toBe(1 + 10 + 2 * 2500)
})

test('the filter of a log may be a variable, with a default or without', () => {
  const text = (type: string) =>
    `query ($filter: ${type}) { run(id: "a") { logs(first: 1, filter: $filter) { totalCount } } }`

  expect(costFor(text('LogFilter'))).toBe(2)
  expect(costFor(text('LogFilter'), { filter: null })).toBe(2)
  expect(costFor(text('LogFilter'), { filter: { search: 'a' } })).toBe(102)
  expect(costFor(text('LogFilter = { search: "a" }'))).toBe(102)
})

test('of several operations the one that is asked for counts', () => {
  const text = 'query A { viewer { id } } query B { projects(first: 10) { edges { node { id } } } }'

  expect(costFor(text, {}, 'B')).toBe(11)
})

const nested = (sizes: number[]): string =>
  sizes.reduceRight(
    (inner, size, level) =>
      `${level === 0 ? 'projects' : 'runs'}(first: ${size}) { edges { node { id ${inner} } } }`,
    '',
  )

describe('what people ask stays below the maximum:', () => {
  test.each<[string, string]>([
    ['the query of the demo', overviewQuery('a project')],
    ['introspection', getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true })],
    ['two nested pages of 100', `{ ${nested([100, 100])} }`],
    ['100 runs with metrics', '{ runs(first: 100) { edges { node { id metrics { key value } } } } }'],
  ])('%s', (_what, text) => {
    expect(costFor(text)).toBeLessThan(MAX_COST)
  })
})

describe('what would occupy the server does not:', () => {
  test.each<[string, string]>([
    [
      'three nested pages of 100',
      '{ projects(first: 100) { edges { node { runs(first: 100) { edges { node { artifacts(first: 100) { edges { node { id } } } } } } } } } }',
    ],
    [
      'the schema within itself',
      '{ __schema { types { fields { type { fields { type { fields { type { fields { type { name } } } } } } } } } } }',
    ],
    [
      'charts of everything',
      `{ run(id: "a") { ${Array.from({ length: 25 }, (_, n) => `a${n}: metricSeries { buckets { min } }`).join(' ')} } }`,
    ],
    [
      'fragments that double',
      `{ ...F0 } ${Array.from({ length: 20 }, (_, n) => `fragment F${n} on Query { a${n}: __schema { types { name } } ...F${n + 1} ... on Query { ...F${n + 1} } }`).join(' ')} fragment F20 on Query { __typename }`,
    ],
  ])('%s', (_what, text) => {
    expect(costFor(text)).toBeGreaterThan(MAX_COST)
  })
})

describe('variables', () => {
  const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)

  test.each<[string, unknown]>([
    ['none', undefined],
    ['10,000 points', { steps: Array(10_000).fill(1), values: Array(10_000).fill(0.5) }],
    ['10,000 lines', { lines: Array(10_000).fill({ message: 'a', level: 'INFO' }) }],
    ['40 levels', { a: deep(40) }],
  ])('%s may be read', (_what, variables) => {
    expect(findExcessiveVariables(variables)).toBeNull()
  })

  test.each<[string, unknown, string]>([
    ['levels of variables', { a: deep(20_000) }, 'at most 50'],
    ['levels of variables', JSON.parse(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`), 'at most 50'],
    ['elements of a list in the variables', { a: Array(20_000).fill(1) }, '20000, at most 10000'],
    ['values in the variables', { a: Array(100).fill(Array(9000).fill(1)) }, 'at most 250000'],
  ])('%s: too many are refused', (limit, variables, numbers) => {
    const refusal = findExcessiveVariables(variables)

    expect(refusal?.message).toContain(numbers)
    expect(refusal?.extensions).toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX', limit })
  })
})
