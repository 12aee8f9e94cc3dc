import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import { isLoss } from '../../../src/domains/alerts/worker/runs.ts'
import { AlertAcknowledgeDocument, AlertUpdatesDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { startServerProcess } from '../../support/server-process.ts'
import { connectSubscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'
import { alertsOf } from './support/alerts.ts'

let app: TestApp
let alerts: ReturnType<typeof alertsOf>
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  alerts = alertsOf(app.api)
  given = seed(app.api)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const LASTING = 'setInterval(() => {}, 1000)'

test('a run that fails is told of once, with the reason, until somebody acknowledges it', async () => {
  const project = await given.project({ script: 'console.error("out of memory"); process.exit(3)' })
  const runId = await given.run({ project })

  const alert = await alerts.fires({ subject: runId })
  expect(alert).toMatchObject({
    condition: 'RUN_FAILED',
    status: 'OPEN',
    subjectKind: 'Run',
    project: { name: project },
    message: expect.stringContaining('out of memory'),
  })

  const acknowledged = await alerts.acknowledge(alert.id, 'a larger machine is ordered')
  expect(acknowledged).toMatchObject({
    status: 'RESOLVED',
    acknowledgedBy: { username: 'admin' },
    note: 'a larger machine is ordered',
  })
  const again = await app.api.send(AlertAcknowledgeDocument, { input: { alertId: alert.id } })
  expect(again.acknowledgeAlert.__typename).toBe('ConflictError')

  await app.restart()
  const next = await given.run({ project })
  await alerts.fires({ subject: next })
  expect(await alerts.list({ subject: runId })).toHaveLength(1)
})

test('a run that is cancelled, or succeeds, is not told of', async () => {
  const project = await given.project({ script: LASTING })
  const cancelled = await given.run({ project })
  await given.when(cancelled, 'running', ({ status }) => status === 'RUNNING')
  await given.cancel(cancelled, 0)
  await given.end(cancelled)
  const succeeded = await given.run({ project: await given.project({ script: '' }) })
  await given.end(succeeded)

  // What fails after them is told of, and by then they would have been.
  const failed = await given.run({ project: await given.project({ script: 'process.exit(1)' }) })
  await alerts.fires({ subject: failed })
  expect(await alerts.list({ subject: cancelled })).toEqual([])
  expect(await alerts.list({ subject: succeeded })).toEqual([])
})

describe('a loss that is not a number', () => {
  test('is told of while the run goes on, by its name, and once', async () => {
    const project = await given.project({
      script: `console.log(JSON.stringify({ step: 3, 'train/loss': 'nan', accuracy: 1 })); ${LASTING}`,
    })
    const runId = await given.run({ project })

    const alert = await alerts.fires({ subject: runId })
    expect(alert).toMatchObject({
      condition: 'RUN_METRIC_NOT_FINITE',
      message: expect.stringMatching(/train\/loss is not a number at step 3/),
    })
    expect(await given.state(runId)).toMatchObject({ status: 'RUNNING' })

    await alerts.acknowledge(alert.id)
    await alerts.changeRule({ ruleId: alert.rule?.id ?? '', level: 'INFO' })
    await app.restart()
    await alerts.reportNaN(runId, 'eval_loss', 9)
    await given.cancel(runId, 0)
    await given.end(runId)
    const other = await given.run({ project })
    await alerts.fires({ subject: other })
    expect(await alerts.list({ subject: runId })).toHaveLength(1)
  })

  test('is none when it is another metric', async () => {
    const runId = await given.run({ project: await given.project({ script: LASTING }) })
    await given.when(runId, 'running', ({ status }) => status === 'RUNNING')

    await alerts.reportNaN(runId, 'grad_norm')
    await alerts.reportNaN(runId, 'lossless')
    expect(await alerts.list({ subject: runId })).toEqual([])
    await alerts.reportNaN(runId, 'loss')
    expect(await alerts.fires({ subject: runId })).toMatchObject({
      message: expect.stringContaining(': loss is not a number'),
    })
  })

  test.each([
    ['loss', true],
    ['train/loss', true],
    ['eval_loss', true],
    ['valLoss', true],
    ['LOSS', true],
    ['loss_ce', true],
    ['losses.total', true],
    ['lossless', false],
    ['gloss', false],
    ['accuracy', false],
  ])('is one of %s: %s', (key, expected) => {
    expect(isLoss(key)).toBe(expected)
  })
})

describe('who sees what', () => {
  test('an alert of a private project is for those who see that, and its editors acknowledge it', async () => {
    const owner = await givenPerson(app)
    const stranger = await givenPerson(app)
    const theirs = alertsOf(owner.api)
    const seen = await connectSubscriber(app.url, stranger)
    const watched = seen.subscribe(AlertUpdatesDocument, {})
    const project = await seed(owner.api).project({ name: 'theirs', script: 'process.exit(1)' })
    const runId = await seed(owner.api).run({ project })
    const alert = await theirs.fires({ subject: runId })

    expect(await alertsOf(stranger.api).list()).toEqual([])
    const refused = await stranger.api.send(AlertAcknowledgeDocument, { input: { alertId: alert.id } })
    expect(refused.acknowledgeAlert.__typename).toBe('NotFoundError')
    expect(await theirs.acknowledge(alert.id)).toMatchObject({
      acknowledgedBy: { username: owner.username },
    })

    // Of what happens once they see it, they are told: by then they would have been of what was before.
    await app.api.send<object, object>(
      'mutation ($ref: String!) { updateProject(input: { ref: $ref, visibility: TEAM }) { __typename } }',
      { ref: project },
    )
    const next = await seed(owner.api).run({ project })
    await until('the stranger to be told', () => watched.data.length > 0)
    expect(watched.data.map(({ alertUpdated }) => alertUpdated.subjectId)).toEqual([next])
    expect(watched.errorCodes).toEqual([])
    await seen.close()
  })

  test('a watcher gets the open ones at once, then every change', async () => {
    const runId = await given.run({ project: await given.project({ script: 'process.exit(1)' }) })
    const { id } = await alerts.fires({ subject: runId })
    const subscriber = await connectSubscriber(app.url)
    const { data } = subscriber.subscribe(AlertUpdatesDocument, {})
    const states = () => data.flatMap(({ alertUpdated: it }) => (it.id === id ? [it.status] : []))
    await until('the open alert', () => states().length === 1)

    await alerts.acknowledge(id)

    await until('the change', () => states().length === 2)
    expect(states()).toEqual(['OPEN', 'RESOLVED'])
    await subscriber.close()
  })

  test('filters select', async () => {
    const project = await given.project({ script: 'process.exit(1)' })
    const runId = await given.run({ project })
    const { id } = await alerts.fires({ subject: runId })
    const finds = async (filter: Parameters<typeof alerts.list>[0]) =>
      (await alerts.list(filter)).some((alert) => alert.id === id)

    const open = {
      level: 'WARNING',
      status: 'OPEN',
      acknowledged: false,
      condition: 'RUN_FAILED',
      project,
    } as const
    expect(await finds(open)).toBe(true)
    await alerts.acknowledge(id)
    expect(await finds({ ...open, status: 'RESOLVED', acknowledged: true })).toBe(true)
    expect(await finds({ status: 'OPEN' })).toBe(false)
    expect(await finds({ acknowledged: false })).toBe(false)
    expect(await finds({ level: 'CRITICAL' })).toBe(false)
    expect(await finds({ condition: 'RUN_LOST' })).toBe(false)
    expect(await finds({ project: 'another' })).toBe(false)
  })
})

test('a run whose end was stored, and its alert not any more, is told of at the next start', async () => {
  const runId = await given.run({ project: await given.project({ script: 'process.exit(1)' }) })
  const { id } = await alerts.fires({ subject: runId })
  // As if the server had been killed in between.
  const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
  await database.transaction((tx) => tx.alert.delete({ where: { id } }))
  await database.close()

  await app.restart()

  const next = await alerts.fires({ subject: runId })
  expect(next).toMatchObject({ condition: 'RUN_FAILED', status: 'OPEN' })
  expect(next.id).not.toBe(id)
})

test('a run that fails while the server is killed is told of at the next start, once', async () => {
  const server = await startServerProcess()
  try {
    const project = await seed(server.api).project({ script: 'setTimeout(() => process.exit(4), 1500)' })
    const runId = await seed(server.api).run({ project })
    await seed(server.api).when(runId, 'running', ({ status }) => status === 'RUNNING')
    await server.kill('SIGKILL')
    await server.start()
    const alert = await alertsOf(server.api).fires({ subject: runId })

    await server.kill('SIGKILL')
    await server.start()
    const next = await seed(server.api).run({ project })
    await alertsOf(server.api).fires({ subject: next })
    expect(await alertsOf(server.api).list({ subject: runId })).toMatchObject([{ id: alert.id }])
  } finally {
    await server.dispose()
  }
})
