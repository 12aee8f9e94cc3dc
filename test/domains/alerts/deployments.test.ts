import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AlertAcknowledgeDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { expected, givenPerson } from '../../support/people.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from '../deployments/support/deployments.ts'
import { alertsOf } from './support/alerts.ts'

let app: TestApp
let models: string
let alerts: ReturnType<typeof alertsOf>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({
    modelRoots: [models],
    deploymentPorts: { first: 18_700, last: 18_719 },
    deploymentStartSeconds: 20,
    deploymentMaxRestarts: 0,
  })
  await givenEngine(app.api, models)
  alerts = alertsOf(app.api)
})
afterAll(async () => {
  await givenDeployments(app.api).deleteAll()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

test('a deployment that does not answer is told of until it does, and again the next time', async () => {
  await alerts.rule({ name: 'at once', condition: 'DEPLOYMENT_UNHEALTHY', level: 'CRITICAL' })
  const { id, pid, name } = await givenDeployments(app.api).running()
  const open = { subject: id, status: 'OPEN' } as const

  process.kill(Number(pid), 'SIGSTOP')
  const alert = await alerts.fires(open)
  expect(alert).toMatchObject({
    condition: 'DEPLOYMENT_UNHEALTHY',
    level: 'CRITICAL',
    subjectKind: 'Deployment',
    subjectName: name,
    project: null,
  })
  await app.restart()
  await alerts.acknowledge(alert.id)
  expect(await alerts.list(open)).toMatchObject([{ id: alert.id }]) // it does not answer yet

  process.kill(Number(pid), 'SIGCONT')
  await until('it to be resolved', async () => (await alerts.list(open)).length === 0)

  process.kill(Number(pid), 'SIGSTOP')
  const next = await alerts.fires(open)
  expect(next.id).not.toBe(alert.id)
  process.kill(Number(pid), 'SIGCONT')
})

test('one that has failed is told of, to be acknowledged by who made it, until it is deleted', async () => {
  const maker = await givenPerson(app)
  const other = await givenPerson(app)
  const given = givenDeployments(maker.api)
  const { id } = await given.deployment({ extraArgs: ['--crash-after', '0'] })
  await given.reaches(id, 'FAILED')
  const alert = await alertsOf(other.api).fires({ subject: id })
  expect(alert).toMatchObject({
    condition: 'DEPLOYMENT_FAILED',
    message: expect.stringContaining('it was told to'),
  })

  const input = { alertId: alert.id }
  const { errors } = await other.api.ask(AlertAcknowledgeDocument, { input })
  expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN')
  const { acknowledgeAlert } = await maker.api.send(AlertAcknowledgeDocument, { input })
  expect(expected(acknowledgeAlert, 'Alert')).toMatchObject({ status: 'OPEN' })

  await given.delete(id)
  await until('it to be resolved', async () =>
    (await alerts.list({ subject: id })).every(({ status }) => status === 'RESOLVED'),
  )
})
