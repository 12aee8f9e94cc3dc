import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import { createRunRecords } from '../../../src/domains/runs/records.ts'
import {
  type LogMetricsInput,
  RunAppendLogsDocument,
  RunLogDocument,
  RunLogMetricsDocument,
  RunSeriesDocument,
  type RunSeriesQueryVariables,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
let project: string
beforeAll(async () => {
  // Runs that wait for ever: reports are taken from the moment there is a run.
  app = await startTestApp({ maxConcurrentRuns: 1 })
  given = seed(app.api)
  project = await given.project({ command: ['sleep', '3600'] })
  await given.run({ project })
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const report = async (runId: string, ...series: LogMetricsInput['series'][number][]) =>
  (await app.api.send(RunLogMetricsDocument, { input: { runId, series } })).logMetrics
const seriesOf = async (variables: RunSeriesQueryVariables) =>
  (await app.api.send(RunSeriesDocument, variables)).run?.metricSeries ?? []
const metricsOf = async (id: string) =>
  Object.fromEntries((await given.state(id)).metrics.map(({ key, step, value }) => [key, [step, value]]))

describe('logMetrics', () => {
  test('takes columns, and a point that comes again is stored once', async () => {
    const id = await given.run({ project })
    const columns = { key: 'loss', steps: [1, 2, 3], values: [3, 2, 1] }
    await report(id, columns, { key: 'acc', steps: [3], values: [0.5] })
    expect(await report(id, columns, { key: 'loss', steps: [3, 4], values: [1, 0.5] })).toMatchObject({
      __typename: 'Run',
      step: 4,
    })
    const [acc, loss] = await seriesOf({ id, maxPoints: 100 })
    expect([acc?.key, acc?.pointCount, loss?.key, loss?.pointCount]).toEqual(['acc', 1, 'loss', 4])
    expect(loss?.buckets.map((bucket) => [bucket.step, bucket.count, bucket.last])).toEqual([
      [1, 1, 3],
      [2, 1, 2],
      [3, 1, 1],
      [4, 1, 0.5],
    ])
  })

  test('keeps the latest value right when steps come late or out of order', async () => {
    const id = await given.run({ project })
    await report(id, { key: 'loss', steps: [10, 30, 20], values: [1, 3, 2] })
    expect(await metricsOf(id)).toEqual({ loss: [30, 3] })
    await report(id, { key: 'loss', steps: [5, 29], values: [0.5, 2.9] })
    expect(await metricsOf(id)).toEqual({ loss: [30, 3] })
    await report(id, { key: 'loss', steps: [30], values: [3.5] })
    expect(await metricsOf(id)).toEqual({ loss: [30, 3.5] })
    await report(
      id,
      { key: 'loss', steps: [30, 31], values: [3, -4] },
      { key: 'below', steps: [-7], values: [7] },
    )
    expect(await metricsOf(id)).toEqual({ below: [-7, 7], loss: [31, -4] })
    expect((await given.state(id)).step).toBe(31)
  })

  test('changes nothing when a call is sent again, whatever its timestamps', async () => {
    const id = await given.run({ project })
    const look = () =>
      app.api.send(
        'query ($id: ID!) { run(id: $id) { step updatedAt metrics { key step value nonFinite timestamp } } }',
        { id },
      )
    const columns = {
      key: 'loss',
      steps: [3, 1, 3],
      values: [1, 2, 0],
      nonFinite: [null, null, 'NAN'] as const,
    }
    const timestamps = Array(3).fill('2024-02-29T12:00:00.000Z')
    await report(id, { ...columns, nonFinite: [...columns.nonFinite], timestamps })
    const before = await look()
    expect(await report(id, { ...columns, nonFinite: [...columns.nonFinite] })).toMatchObject({
      __typename: 'Run',
      step: 3,
    })
    expect(await look()).toEqual(before)
    const [loss] = await seriesOf({ id })
    expect(loss).toMatchObject({ pointCount: 3, buckets: [{ step: 1 }, { step: 3, count: 2, last: 1 }] })
  })

  test('keeps NaN and infinities, and shows each as what it is', async () => {
    const id = await given.run({ project })
    const reported = await report(
      id,
      { key: 'nan', steps: [1, 2], values: [0.5, 0], nonFinite: [null, 'NAN'] },
      { key: 'over', steps: [1], values: [0], nonFinite: ['INFINITY'] },
      { key: 'under', steps: [1], values: [7], nonFinite: ['NEGATIVE_INFINITY'] },
    )
    expect(reported).toMatchObject({
      metrics: [
        { key: 'nan', step: 2, value: 0, nonFinite: 'NAN' },
        { key: 'over', value: Number.MAX_VALUE, nonFinite: 'INFINITY' },
        { key: 'under', value: -Number.MAX_VALUE, nonFinite: 'NEGATIVE_INFINITY' },
      ],
    })
    const [nan, over] = await seriesOf({ id, maxPoints: 1 })
    expect(nan?.buckets).toMatchObject([
      { step: 1, lastStep: 2, min: 0.5, max: 0.5, mean: 0.5, last: 0.5, count: 2, nonFiniteCount: 1 },
    ])
    expect(over?.buckets).toMatchObject([{ min: 0, max: 0, last: 0, count: 1, nonFiniteCount: 1 }])
  })

  test.each([null, 'NaN', Number.NaN])('refuses %s among the values aloud', async (value) => {
    const id = await given.run({ project })
    const { errors } = await app.api.ask(
      'mutation ($input: LogMetricsInput!) { logMetrics(input: $input) { __typename } }',
      { input: { runId: id, series: [{ key: 'a', steps: [1], values: [value] }] } },
    )
    expect(errors?.[0]?.message).toContain('values[0]')
    expect(await metricsOf(id)).toEqual({})
  })

  test('keeps every digit', async () => {
    const id = await given.run({ project })
    const values = [
      0.1 + 0.2,
      1 / 3,
      -5e-324,
      1.7976931348623157e308,
      4.35,
      2 ** 53 + 2,
      1e-7,
      123456789012345680,
      6.104721031808928,
      -5.32570668398147e-208,
      8.651271631219078e-19,
      -0.0000012065866030752659,
      -1.2345678901234567e-308,
    ]
    await report(id, { key: 'x', steps: values.map((_, index) => index), values })
    const [series] = await seriesOf({ id, maxPoints: 100 })
    for (const part of ['min', 'max', 'mean', 'last'] as const) {
      expect(series?.buckets.map((bucket) => bucket[part])).toEqual(values)
    }
  })

  test.each<[string, LogMetricsInput['series'][number], string[]]>([
    ['as many steps as values', { key: 'a', steps: [1, 2], values: [1] }, ['series', '1', 'values']],
    [
      'as many timestamps',
      { key: 'a', steps: [1], values: [1], timestamps: [] },
      ['series', '1', 'timestamps'],
    ],
    [
      'to know of each value whether it is finite',
      { key: 'a', steps: [1, 2], values: [1, 2], nonFinite: ['NAN'] },
      ['series', '1', 'nonFinite'],
    ],
    ['a key', { key: '', steps: [1], values: [1] }, ['series', '1', 'key']],
    ['a key of well-formed text', { key: 'a\ud800', steps: [1], values: [1] }, ['series', '1', 'key']],
    ['at least one point', { key: 'a', steps: [], values: [] }, ['series', '1', 'steps']],
  ])('wants %s, and stores nothing without', async (_, columns, path) => {
    const id = await given.run({ project })
    expect(await report(id, { key: 'good', steps: [1], values: [1] }, columns)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path }],
    })
    expect(await metricsOf(id)).toEqual({})
  })

  test('takes 10,000 points at once, and not one more', async () => {
    const id = await given.run({ project })
    const steps = Array.from({ length: 10_000 }, (_, index) => index)
    expect(await report(id, { key: 'a', steps, values: steps })).toMatchObject({
      __typename: 'Run',
      step: 9999,
    })
    const refused = await report(
      id,
      { key: 'b', steps, values: steps },
      { key: 'c', steps: [1], values: [1] },
    )
    expect(refused).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['series'] }] })
  })

  test('and appendRunLogs are refused for a run that is over, or does not exist', async () => {
    const id = await given.run({ project })
    await given.cancel(id)
    const lines = [{ message: 'late' }]
    const append = async (runId: string) =>
      (await app.api.send(RunAppendLogsDocument, { input: { runId, lines } })).appendRunLogs
    const columns = { key: 'a', steps: [1], values: [1] }
    expect(await report(id, columns)).toMatchObject({ __typename: 'ConflictError' })
    expect(await append(id)).toMatchObject({ __typename: 'ConflictError' })
    const nobody = 'run_01h455vb4pex5vsknk084sn02q'
    expect(await report(nobody, columns)).toMatchObject({ __typename: 'NotFoundError' })
    expect(await append(nobody)).toMatchObject({ __typename: 'NotFoundError' })
  })
})

test('appendRunLogs adds lines in their order, with what each says of itself', async () => {
  const id = await given.run({ project })
  const timestamp = '2024-02-29T12:00:00.123Z'
  const { appendRunLogs } = await app.api.send(RunAppendLogsDocument, {
    input: {
      runId: id,
      lines: [
        { message: 'plain' },
        { message: 'careful', level: 'WARNING', source: 'STDERR', timestamp },
        { message: 'odd \ud800 and \0' },
      ],
    },
  })
  expect(appendRunLogs.__typename).toBe('Run')
  const log = await given.log(id)
  expect(log).toMatchObject([
    { seq: 1, message: 'plain', level: 'INFO', source: 'STDOUT' },
    { seq: 2, message: 'careful', level: 'WARNING', source: 'STDERR', timestamp },
    { seq: 3, message: 'odd \ufffd and \ufffd' },
  ])
})

test('appendRunLogs takes no line that would pass for one of Trainyard itself', async () => {
  const id = await given.run({ project })
  const { appendRunLogs } = await app.api.send(RunAppendLogsDocument, {
    input: { runId: id, lines: [{ message: 'honest' }, { message: 'All is well.', source: 'SYSTEM' }] },
  })

  expect(appendRunLogs).toMatchObject({
    __typename: 'ValidationError',
    issues: [{ path: ['lines', '1', 'source'] }],
  })
  expect(await given.log(id)).toEqual([])
})

describe('metricSeries', () => {
  const spike = 3217
  let id: string
  beforeAll(async () => {
    id = await given.run({ project })
    const steps = Array.from({ length: 5000 }, (_, index) => index)
    await report(
      id,
      { key: 'loss', steps, values: steps.map((step) => (step === spike ? 1000 : 1 / (step + 1))) },
      { key: 'single', steps: [7], values: [0.75] },
    )
  })

  test('keeps the extremes in few buckets', async () => {
    const [loss] = await seriesOf({ id, keys: ['loss'], maxPoints: 50 })
    expect(loss?.buckets).toHaveLength(50)
    expect(loss?.pointCount).toBe(5000)
    expect(loss?.buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(5000)
    const high = loss?.buckets.filter((bucket) => bucket.max === 1000) ?? []
    expect(high).toMatchObject([{ step: 3200, lastStep: 3299, min: 1 / 3300, last: 1 / 3300, count: 100 }])
    expect(loss?.buckets[0]).toMatchObject({ step: 0, lastStep: 99, max: 1, min: 0.01, last: 0.01 })
  })

  test('is of the steps asked for', async () => {
    const [loss] = await seriesOf({ id, keys: ['loss'], maxPoints: 1000, minStep: 3210, maxStep: 3219 })
    expect(loss?.pointCount).toBe(10)
    expect(loss?.buckets.map((bucket) => bucket.step)).toEqual(Array.from({ length: 10 }, (_, n) => 3210 + n))
    const [none] = await seriesOf({ id, keys: ['loss'], minStep: 100, maxStep: 99 })
    expect(none).toMatchObject({ pointCount: 0, buckets: [] })
  })

  test('of one point is that point, and of an unknown key nothing', async () => {
    const point = {
      step: 7,
      lastStep: 7,
      min: 0.75,
      max: 0.75,
      mean: 0.75,
      last: 0.75,
      count: 1,
      nonFiniteCount: 0,
    }
    expect(await seriesOf({ id, keys: ['single', 'unknown'], maxPoints: 1 })).toEqual([
      { key: 'single', pointCount: 1, buckets: [point] },
    ])
  })

  test.each([0, -1, 10_001])('is refused with maxPoints %i', async (maxPoints) => {
    const { errors } = await app.api.ask(RunSeriesDocument, { id, maxPoints })
    expect(errors?.map((error) => error.extensions?.code)).toEqual(['VALIDATION_FAILED'])
  })
})

describe('charts of many series', () => {
  const KEYS = Array.from({ length: 60 }, (_, n) => `key-${String(n).padStart(2, '0')}`)
  let id: string
  beforeAll(async () => {
    id = await given.run({ project })
    const steps = Array.from({ length: 1000 }, (_, n) => n)
    for (let first = 0; first < KEYS.length; first += 10) {
      await report(
        id,
        ...KEYS.slice(first, first + 10).map((key) => ({ key, steps, values: steps.map(() => 1) })),
      )
    }
  })

  test.each([
    ['of all keys', { maxPoints: 1000 }],
    ['of many', { keys: KEYS.slice(1), maxPoints: 1000 }],
  ])('%s are refused when they would have too many buckets together', async (_, variables) => {
    const { errors } = await app.api.ask(RunSeriesDocument, { id, ...variables })
    expect(errors?.[0]?.extensions?.code).toBe('VALIDATION_FAILED')
    expect(errors?.[0]?.message).toContain('name fewer keys, or lower maxPoints')
  })

  test.each([
    ['fewer points', { maxPoints: 500 }, 60, 500],
    ['fewer keys', { keys: KEYS.slice(0, 50), maxPoints: 1000 }, 50, 1000],
    ['a short range', { maxPoints: 1000, minStep: 0, maxStep: 9 }, 60, 10],
  ])('are given with %s', async (_, variables, count, buckets) => {
    const series = await seriesOf({ id, ...variables })
    expect(series.map(({ key }) => key)).toEqual(KEYS.slice(0, count))
    expect(new Set(series.map((each) => each.buckets.length))).toEqual(new Set([buckets]))
    expect(new Set(series.map((each) => each.pointCount))).toEqual(new Set([buckets === 10 ? 10 : 1000]))
  })

  test('leave others their turn between one series and the next', async () => {
    const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
    let answered = false
    let turns = 0
    const counting = (async () => {
      while (!answered) {
        await turn()
        turns++
      }
    })()
    const charts = await createRunRecords({ database }).series({ id }, { maxPoints: 500 })
    await Promise.all(charts.map(({ chart }) => chart()))
    answered = true
    await counting
    await database.close()

    expect(turns).toBeGreaterThanOrEqual(KEYS.length)
  })
})

describe('a page of a log', () => {
  let id: string
  beforeAll(async () => {
    id = await given.run({ project })
    const lines = Array.from(
      { length: 250 },
      (_, n) => ({ message: `line ${n + 1}`, level: n % 50 === 49 ? 'ERROR' : 'INFO' }) as const,
    )
    await app.api.send(RunAppendLogsDocument, { input: { runId: id, lines } })
  })
  const page = async (variables: object) =>
    (await app.api.send(RunLogDocument, { id, ...variables })).run?.logs
  const seqs = (logs: Awaited<ReturnType<typeof page>>) => logs?.edges.map((edge) => edge.node.seq)

  test('goes forwards and backwards by cursors, and tells how many there are', async () => {
    const first = await page({ first: 2 })
    expect(seqs(first)).toEqual([1, 2])
    expect(first).toMatchObject({ totalCount: 250, pageInfo: { hasNextPage: true, hasPreviousPage: false } })
    expect(seqs(await page({ first: 2, after: first?.pageInfo.endCursor }))).toEqual([3, 4])
    const last = await page({ last: 2 })
    expect(seqs(last)).toEqual([249, 250])
    expect(last?.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true })
    expect(seqs(await page({ last: 2, before: last?.pageInfo.startCursor }))).toEqual([247, 248])
  })

  test('counts what the filter lets through', async () => {
    const errors = await page({ first: 2, filter: { minLevel: 'ERROR' } })
    expect([seqs(errors), errors?.totalCount]).toEqual([[50, 100], 5])
    const found = await page({ first: 100, filter: { search: 'LINE 25' } })
    expect([seqs(found), found?.totalCount]).toEqual([[25, 250], 2])
    expect((await page({ filter: { search: '%' } }))?.totalCount).toBe(0)
  })

  test.each([
    ['first: 0', { first: 0 }],
    ['first: 101', { first: 101 }],
    ['first and last', { first: 1, last: 1 }],
    ['a cursor that is none', { after: 'garbage' }],
    ['an empty cursor', { after: '' }],
  ])('is refused with %s', async (_, variables) => {
    const { errors } = await app.api.ask(RunLogDocument, { id, ...variables })
    expect(errors?.map((error) => error.extensions?.code)).toEqual(['VALIDATION_FAILED'])
  })
})
