import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  RunAppendLogsDocument,
  RunLogMetricsDocument,
  RunLogsDocument,
  RunMetricsDocument,
  RunUpdatedDocument,
} from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { endRuns } from '../support/end-runs.ts'
import { seed } from '../support/seed.ts'
import { connectSubscriber, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { scaled, tell } from './support/scale.ts'

const EVENTS = scaled(300, 2000)

let app: TestApp
let watcher: Subscriber
let reporter: Subscriber
beforeAll(async () => {
  app = await startTestApp()
  watcher = await connectSubscriber(app.url)
  reporter = await connectSubscriber(app.url)
})
afterAll(async () => {
  await watcher.close()
  await reporter.close()
  await endRuns(app.api)
  await app.stop()
})

test(`${EVENTS} reports at the same moment reach watchers whole, in as few messages as they read`, async () => {
  const given = seed(app.api)
  const runId = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  const logs = watcher.subscribe(RunLogsDocument, { runId })
  const metrics = watcher.subscribe(RunMetricsDocument, { runId })
  const updates = watcher.subscribe(RunUpdatedDocument, { runId })
  const all = watcher.subscribe(RunUpdatedDocument, {})

  const reports = Array.from({ length: EVENTS }, (_, index) => {
    const step = index + 1
    return [
      reporter.subscribe(RunAppendLogsDocument, { input: { runId, lines: [{ message: `line ${step}` }] } }),
      reporter.subscribe(RunLogMetricsDocument, {
        input: { runId, series: [{ key: 'loss', steps: [step], values: [1 / step] }] },
      }),
    ]
  }).flat()
  await until('all reports to be taken', () => reports.every((report) => report.isOver()), 120_000)

  const lines = () => logs.data.flatMap(({ runLogs }) => runLogs.lines)
  const points = () => metrics.data.flatMap(({ runMetrics }) => runMetrics.points)
  await until('everything to arrive', () => lines().length >= EVENTS && points().length >= EVENTS)
  await until('the last step', () =>
    [updates, all].every(({ data }) => data.at(-1)?.runUpdated.step === EVENTS),
  )
  await given.cancel(runId, 0)
  await updates.over()
  await logs.over()
  await metrics.over()

  const steps = Array.from({ length: EVENTS }, (_, index) => index + 1)
  expect(
    lines()
      .slice(0, EVENTS)
      .map(({ seq }) => seq),
  ).toEqual(steps)
  expect(new Set(lines().map(({ message }) => message)).size).toBe(lines().length)
  expect(
    points()
      .map(({ step }) => step)
      .toSorted((a, b) => a - b),
  ).toEqual(steps)
  expect(updates.data.at(-1)?.runUpdated.status).toBe('CANCELLED')
  expect([logs, metrics, updates].flatMap(({ errorCodes }) => errorCodes)).toEqual([])
  tell('Many events at once', {
    reports: EVENTS * 2,
    'messages of the log': logs.data.length,
    'messages of the metrics': metrics.data.length,
    'messages of the state': updates.data.length,
  })
})
