import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type LogFilter,
  RunAppendLogsDocument,
  RunLogDocument,
  RunLogMetricsDocument,
  RunLogsDocument,
  RunMetricsDocument,
  RunsDeleteProjectDocument,
  RunUpdatedDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'
import { connectSubscriber, type Subscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let folder: string
let watcher: Subscriber
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  given = seed(app.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  watcher = await connectSubscriber(app.url)
})
afterAll(async () => {
  await watcher.close()
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

const numbers = (count: number, from = 1) => Array.from({ length: count }, (_, index) => index + from)
const seqsOf = (messages: { runLogs: { lines: { seq: number }[] } }[]) =>
  messages.flatMap(({ runLogs }) => runLogs.lines.map((line) => line.seq))

/** A run that is over and has printed this many lines. */
async function finished(lines: number): Promise<string> {
  const id = await given.run({
    project: await given.project({
      command: ['bash', '-c', `for n in $(seq ${lines}); do echo line $n; done`],
    }),
  })
  await given.end(id)
  return id
}

/** A run that goes on until the returned function is called. */
async function waiting(): Promise<{ id: string; project: string; end: () => Promise<void> }> {
  const file = join(folder, `may-end-${Math.random()}`)
  const project = await given.project({
    command: ['bash', '-c', 'until [ -e "$0" ]; do sleep 0.02; done', file],
  })
  const id = await given.run({ project })
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  return { id, project, end: () => writeFile(file, '') }
}

/** The log as somebody asks for it who wants the text only. */
const MessagesDocument: TypedDocumentNode<{ runLogs: { lines: { message: string }[] } }, { runId: string }> =
  parse('subscription ($runId: ID!) { runLogs(runId: $runId) { lines { message } } }')

async function append(runId: string, ...messages: string[]) {
  const lines = messages.map((message) => ({ message }))
  const { appendRunLogs } = await app.api.send(RunAppendLogsDocument, { input: { runId, lines } })
  if (appendRunLogs.__typename !== 'Run') throw new Error(JSON.stringify(appendRunLogs))
}

describe('the log of a run that is over', () => {
  test('is replayed whole, and the subscription completes', async () => {
    const id = await finished(2500)
    const log = watcher.subscribe(RunLogsDocument, { runId: id })
    await log.over()
    expect(seqsOf(log.data)).toEqual(numbers(2500))
    expect(log.errorCodes).toEqual([])
  })

  test('continues exactly behind any cursor', async () => {
    const id = await finished(1500)
    const all = watcher.subscribe(RunLogsDocument, { runId: id })
    await all.over()
    const [first] = all.data
    const rest = watcher.subscribe(RunLogsDocument, { runId: id, after: first?.runLogs.cursor })
    await rest.over()
    expect([...seqsOf(first ? [first] : []), ...seqsOf(rest.data)]).toEqual(numbers(1500))
    const nothing = watcher.subscribe(RunLogsDocument, { runId: id, after: all.data.at(-1)?.runLogs.cursor })
    await nothing.over()
    expect([nothing.data, nothing.errorCodes]).toEqual([[], []])
    const page = await app.api.send(RunLogDocument, { id, first: 3 })
    const afterPage = watcher.subscribe(RunLogsDocument, {
      runId: id,
      after: page.run?.logs.pageInfo.endCursor,
    })
    await afterPage.over()
    expect(seqsOf(afterPage.data)).toEqual(numbers(1497, 4))
  })
})

describe('a live log', () => {
  test('brings each line once to each of 30 watchers, and to one that stops reading for a while', async () => {
    const script = `
      let n = 0
      const timer = setInterval(() => {
        for (let i = 0; i < 100; i++) console.log('line ' + ++n + ' ' + 'x'.repeat(100))
        if (n === 5000) clearInterval(timer)
      }, 10)`
    const stuck = await connectSubscriber(app.url)
    const id = await given.run({ project: await given.project({ script }) })
    const paused = stuck.subscribe(RunLogsDocument, { runId: id })
    await until('the first lines', () => paused.data.length > 0)
    stuck.pause()
    const watching = numbers(30).map(() => watcher.subscribe(RunLogsDocument, { runId: id }))
    for (const log of watching) await log.over()
    for (const log of watching) expect(seqsOf(log.data)).toEqual(numbers(5000))
    expect(paused.isOver()).toBe(false)
    stuck.resume()
    await paused.over()
    expect(seqsOf(paused.data)).toEqual(numbers(5000))
    await stuck.close()
  })

  test('is waited for by who subscribes before the run has started, and ends when it is cancelled', async () => {
    const full = await startTestApp({ maxConcurrentRuns: 1 })
    try {
      const inQueue = seed(full.api)
      const project = await inQueue.project({ command: ['sleep', '3600'] })
      await inQueue.run({ project })
      const queued = await inQueue.run({ project })
      const socket = await connectSubscriber(full.url)
      const log = socket.subscribe(RunLogsDocument, { runId: queued })
      const metrics = socket.subscribe(RunMetricsDocument, { runId: queued })
      await sleep(100)
      expect([log.isOver(), metrics.isOver()]).toEqual([false, false])
      await inQueue.cancel(queued)
      await log.over()
      await metrics.over()
      expect([log.errorCodes, metrics.errorCodes]).toEqual([[], []])
      await socket.close()
    } finally {
      await endRuns(full.api)
      await full.stop()
    }
  })

  test('of one run never shows the lines of another', async () => {
    const [one, other] = [await waiting(), await waiting()]
    const logs = [one, other].map(({ id }) => watcher.subscribe(RunLogsDocument, { runId: id }))
    for (const n of numbers(10)) {
      await append(one.id, `one ${n}`)
      await append(other.id, `other ${n}`)
    }
    await Promise.all([one.end(), other.end()])
    for (const [index, name] of ['one', 'other'].entries()) {
      await logs[index]?.over()
      const messages = logs[index]?.data.flatMap(({ runLogs }) => runLogs.lines.map((line) => line.message))
      expect(messages).toEqual(numbers(10).map((n) => `${name} ${n}`))
    }
  })

  test('is read and executed once for all who watch it in the same way, and apart from others', async () => {
    const { id, end } = await waiting()
    const alike = numbers(40).map(() => watcher.subscribe(RunLogsDocument, { runId: id }))
    const ofAnotherText = watcher.subscribe(MessagesDocument, { runId: id })
    const filtered = watcher.subscribe(RunLogsDocument, { runId: id, filter: { search: 'line 2' } })
    await append(id, 'line 1')
    await until('the first line', () => [...alike, ofAnotherText].every((log) => log.data.length === 1))
    const [early] = alike[0]?.data ?? []
    const returned = watcher.subscribe(RunLogsDocument, { runId: id, after: early?.runLogs.cursor })
    let reads = 0
    const stop = app.onStatement((sql) => {
      if (sql.includes('FROM "LogLine"')) reads++
    })
    await append(id, 'line 2')
    await until('the second line', () =>
      [...alike, returned, filtered].every((log) => seqsOf(log.data).at(-1) === 2),
    )
    stop()
    await end()
    for (const log of [...alike, returned, filtered, ofAnotherText]) await log.over()

    // One for those who want all lines, whatever they show of them, and one for the filter.
    expect(reads).toBeLessThan(8)
    for (const log of alike) expect(seqsOf(log.data)).toEqual([1, 2])
    expect([seqsOf(returned.data), seqsOf(filtered.data)]).toEqual([[2], [2]])
    expect(ofAnotherText.data).toEqual(
      ['line 1', 'line 2'].map((message) => ({ runLogs: { lines: [{ message }] } })),
    )
  })

  test('costs nothing any more once nobody listens', async () => {
    const { id, end } = await waiting()
    const log = watcher.subscribe(RunLogsDocument, { runId: id })
    await append(id, 'first')
    await until('the first line', () => log.data.length === 1)
    log.stop()
    await until('the server to have let go', async () => {
      let reads = 0
      const stop = app.onStatement((sql) => {
        if (sql.includes('FROM "LogLine"')) reads++
      })
      await append(id, 'more')
      await sleep(100)
      stop()
      return reads === 0
    })
    expect(seqsOf(log.data)).toEqual([1])
    await end()
  })
})

describe('a filter', () => {
  let id: string
  beforeAll(async () => {
    id = await given.run({
      project: await given.project({
        script: `
          for (let n = 1; n <= 1200; n++) console.log(n % 400 === 0 ? 'ERROR at ' + n : 'line ' + n)
          console.error('WARNING: Hot')`,
      }),
    })
    await given.end(id)
  })

  test.each<[string, LogFilter, number]>([
    ['of the level', { minLevel: 'ERROR' }, 3],
    ['of a lower level', { minLevel: 'WARNING' }, 4],
    ['of the source', { source: 'STDERR' }, 1],
    ['of the text, whatever its case', { search: 'hot' }, 1],
    ['of all together', { source: 'STDOUT', search: 'line 11' }, 1 + 10 + 100],
    ['of nothing that is there', { search: 'no such text' }, 0],
    ['of a time that is over', { until: '2001-01-01T00:00:00Z' }, 0],
  ])('%s delivers what matches, then completes', async (_, filter, count) => {
    const log = watcher.subscribe(RunLogsDocument, { runId: id, filter })
    await log.over()
    expect(log.errorCodes).toEqual([])
    expect(seqsOf(log.data)).toHaveLength(count)
    if (count === 0) expect(log.data).toEqual([])
  })

  test('that matches little is resumed without a repeat', async () => {
    const filter: LogFilter = { minLevel: 'ERROR' }
    const log = watcher.subscribe(RunLogsDocument, { runId: id, filter })
    await log.over()
    const again = watcher.subscribe(RunLogsDocument, {
      runId: id,
      filter,
      after: log.data.at(-1)?.runLogs.cursor,
    })
    await again.over()
    expect(again.data).toEqual([])
  })
})

describe('what cannot be watched is an error of that operation only', () => {
  test('while the others on the socket go on', async () => {
    const { id, end } = await waiting()
    const other = await finished(1)
    const good = watcher.subscribe(RunLogsDocument, { runId: id })
    const foreign = watcher.subscribe(RunLogsDocument, { runId: other })
    await foreign.over()
    const cursor = foreign.data[0]?.runLogs.cursor
    const nobody = 'run_01h455vb4pex5vsknk084sn02q'
    for (const [bad, code] of [
      [watcher.subscribe(RunLogsDocument, { runId: id, after: cursor }), 'VALIDATION_FAILED'],
      [watcher.subscribe(RunLogsDocument, { runId: id, after: 'garbage' }), 'VALIDATION_FAILED'],
      [watcher.subscribe(RunMetricsDocument, { runId: id, after: cursor }), 'VALIDATION_FAILED'],
      [watcher.subscribe(RunLogsDocument, { runId: nobody }), 'NOT_FOUND'],
      [watcher.subscribe(RunMetricsDocument, { runId: nobody }), 'NOT_FOUND'],
      [watcher.subscribe(RunUpdatedDocument, { runId: nobody }), 'NOT_FOUND'],
      [watcher.subscribe(RunUpdatedDocument, { project: 'nowhere' }), 'NOT_FOUND'],
    ] as const) {
      await bad.over()
      expect([bad.errorCodes, bad.data]).toEqual([[code], []])
    }
    await append(id, 'still here')
    await until('the line', () => seqsOf(good.data).length === 1)
    expect(watcher.isOpen()).toBe(true)
    await end()
    await good.over()
    expect(good.errorCodes).toEqual([])
  })
})

describe('runUpdated', () => {
  test('of one run gives its states up to the final one', async () => {
    const { id, end } = await waiting()
    const updates = watcher.subscribe(RunUpdatedDocument, { runId: id })
    await until('the present state', () => updates.data.length > 0)
    await end()
    await updates.over()
    const statuses = updates.data.map(({ runUpdated }) => runUpdated.status)
    expect([statuses[0], statuses.at(-1)]).toEqual(['RUNNING', 'SUCCEEDED'])
    expect(updates.data.at(-1)?.runUpdated).toMatchObject({ id, exitCode: 0, progress: 1 })

    const late = watcher.subscribe(RunUpdatedDocument, { runId: id })
    await late.over()
    expect(late.data.map(({ runUpdated }) => runUpdated.status)).toEqual(['SUCCEEDED'])
  })

  test('of a project gives the active runs, then every change, and none of other projects', async () => {
    const { id, project, end } = await waiting()
    const over = await given.run({ project })
    await given.cancel(over, 0)
    await given.end(over)
    const updates = watcher.subscribe(RunUpdatedDocument, { project })
    await until('the active run', () => updates.data.length > 0)
    expect(updates.data).toMatchObject([{ runUpdated: { id, status: 'RUNNING' } }])

    const elsewhere = await finished(1)
    const next = await given.run({ project })
    const stateOf = (run: string) =>
      updates.data.findLast(({ runUpdated }) => runUpdated.id === run)?.runUpdated.status
    await until('the new run', () => stateOf(next) === 'RUNNING')
    await end()
    await until('both ends', () => stateOf(id) === 'SUCCEEDED' && stateOf(next) === 'SUCCEEDED')
    expect(updates.data.some(({ runUpdated }) => runUpdated.id === elsewhere)).toBe(false)
    updates.stop()
  })
})

describe('a run that is deleted while it is watched', () => {
  test('ends the subscriptions of who has not read all of it', async () => {
    const { id, project, end } = await waiting()
    await append(id, ...numbers(5000).map((n) => `line ${n} ${'x'.repeat(1000)}`))
    const slow = await connectSubscriber(app.url)
    const log = slow.subscribe(RunLogsDocument, { runId: id })
    await until('the first lines', () => log.data.length > 0)
    slow.pause()
    await end()
    await given.end(id)
    const { deleteProject } = await app.api.send(RunsDeleteProjectDocument, { input: { ref: project } })
    expect(deleteProject.__typename).toBe('Project')
    slow.resume()
    await log.over()
    expect(log.errorCodes).toEqual([])
    const seqs = seqsOf(log.data)
    expect(seqs).toEqual(numbers(seqs.length))
    await slow.close()
  })
})

test('the updates of a project end when it is deleted', async () => {
  const project = await given.project({ command: ['true'] })
  const updates = watcher.subscribe(RunUpdatedDocument, { project })
  const id = await given.run({ project })
  await given.end(id)
  await until('the run', () => updates.data.at(-1)?.runUpdated.status === 'SUCCEEDED')
  expect(updates.isOver()).toBe(false)
  await app.api.send(RunsDeleteProjectDocument, { input: { ref: project } })
  await updates.over()
  expect(updates.errorCodes).toEqual([])
})

describe('runMetrics', () => {
  test('gives the points in the order of their arrival, and continues behind a cursor', async () => {
    const { id, end } = await waiting()
    const report = (key: string, ...steps: number[]) =>
      app.api.send(RunLogMetricsDocument, { input: { runId: id, series: [{ key, steps, values: steps }] } })
    await report('a', 3, 1)
    const points = watcher.subscribe(RunMetricsDocument, { runId: id })
    const stepsOf = (messages: typeof points.data) =>
      messages.flatMap(({ runMetrics }) => runMetrics.points.map((point) => `${point.key}${point.step}`))
    await until('the stored points', () => stepsOf(points.data).length === 2)
    const cursor = points.data.at(-1)?.runMetrics.cursor
    await report('b', 2)
    await report('a', 3, 4)
    await end()
    await points.over()
    expect(stepsOf(points.data)).toEqual(['a3', 'a1', 'b2', 'a4'])
    for (const [keys, expected] of [
      [undefined, ['b2', 'a4']],
      [['b'], ['b2']],
      [['none'], []],
    ] as const) {
      const rest = watcher.subscribe(RunMetricsDocument, {
        runId: id,
        after: cursor,
        keys: keys && [...keys],
      })
      await rest.over()
      expect(stepsOf(rest.data)).toEqual(expected)
    }
  })
})
