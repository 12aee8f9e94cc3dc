import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  DeploymentLogsDocument,
  DeploymentStopDocument,
  DeploymentUpdatesDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { connectSubscriber, type Subscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
let subscriber: Subscriber
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_300, last: 18_349 } })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  subscriber = await connectSubscriber(app.url)
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  await subscriber.close()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

test('every status is streamed, from the present one to the deletion, which ends the stream', async () => {
  const { id } = await given.deployment({ extraArgs: ['--ready-after', '1'] })
  const updates = subscriber.subscribe(DeploymentUpdatesDocument, { deploymentId: id })
  const all = subscriber.subscribe(DeploymentUpdatesDocument, {})
  await given.reaches(id, 'RUNNING')
  await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })
  await given.delete(id)

  await updates.over()
  const statuses = updates.data.map(({ deploymentUpdated }) => deploymentUpdated.status)
  const order = ['PENDING', 'STARTING', 'RUNNING', 'STOPPING', 'STOPPED']
  expect(statuses.map((status) => order.indexOf(status))).toEqual(
    statuses.map((status) => order.indexOf(status)).toSorted((one, other) => one - other),
  )
  expect(statuses).toEqual(expect.arrayContaining(['STARTING', 'RUNNING', 'STOPPED']))
  expect(updates.errorCodes).toEqual([])
  expect(all.isOver()).toBe(false)
  expect(all.data.every(({ deploymentUpdated }) => deploymentUpdated.id === id)).toBe(true)
  expect(all.data.length).toBeGreaterThan(2)
})

test('the log is streamed from a cursor on, through a restart, without a gap, until the deployment is deleted', async () => {
  const { id, pid } = await given.running()
  const [first] = await until('the first line', async () => {
    const log = subscriber.subscribe(DeploymentLogsDocument, { deploymentId: id })
    await until('a line', () => log.data.length > 0)
    log.stop()
    return log.data
  })
  const after = first?.deploymentLogs.cursor ?? ''
  const seen = first?.deploymentLogs.lines.length ?? 0

  const rest = subscriber.subscribe(DeploymentLogsDocument, { deploymentId: id, after })
  const system = subscriber.subscribe(DeploymentLogsDocument, {
    deploymentId: id,
    filter: { source: 'SYSTEM', search: 'start ' },
  })
  process.kill(Number(pid), 'SIGKILL')
  await given.when(id, 'running again', (it) => it.status === 'RUNNING' && it.restarts === 1)
  const stored = await given.log(id)
  await given.delete(id)
  await rest.over()
  await system.over()

  const lines = rest.data.flatMap(({ deploymentLogs }) => deploymentLogs.lines)
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => seen + 1 + index))
  expect(lines.map(({ message }) => message).slice(0, stored.length - seen)).toEqual(
    stored.slice(seen).map(({ message }) => message),
  )
  const starts = system.data.flatMap(({ deploymentLogs }) => deploymentLogs.lines)
  expect(starts.filter(({ message }) => message.startsWith('Start '))).toHaveLength(2)
})
