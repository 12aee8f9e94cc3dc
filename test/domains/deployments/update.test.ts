import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  DeploymentStopDocument,
  DeploymentUpdateDocument,
  type UpdateDeploymentInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { isRunning } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({
    modelRoots: [models],
    deploymentPorts: { first: 18_250, last: 18_299 },
    deploymentStartSeconds: 6,
    deploymentStopSeconds: 5,
  })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  await mkdir(join(models, 'better'))
  await writeFile(join(models, 'better', 'model.safetensors'), 'weights')
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

async function update(input: UpdateDeploymentInput) {
  const { updateDeployment } = await app.api.send(DeploymentUpdateDocument, { input })
  if (updateDeployment.__typename !== 'Deployment') throw new Error(updateDeployment.message)
  return updateDeployment
}

test('labels change at once, with the same process', async () => {
  const { id, pid } = await given.running({ tags: ['old'] })

  const changed = await update({
    deploymentId: id,
    tags: ['new', 'newer'],
    modelVersion: 'v2',
    environment: 'production',
  })

  expect(changed).toMatchObject({ tags: ['new', 'newer'], modelVersion: 'v2', environment: 'production' })
  expect(changed).toMatchObject({ restartPending: false, pid, status: 'RUNNING' })
})

test('another model takes another process, and the old one serves until that is healthy', async () => {
  const before = await given.running({ name: 'chat', extraArgs: ['--ready-after', '0'] })
  const { id } = before

  const changed = await update({ deploymentId: id, modelPath: 'better', extraArgs: ['--ready-after', '2'] })

  expect(changed).toMatchObject({
    restartPending: true,
    status: 'RUNNING',
    pid: before.pid,
    port: before.port,
  })
  let asked = 0
  const after = await until('the new process to serve', async () => {
    const now = await given.state(id)
    expect(now.status).toBe('RUNNING')
    expect((await fetch(`${now.endpoint}/models`)).status).toBe(200)
    asked++
    return now.pid !== before.pid && now
  })
  expect(asked).toBeGreaterThan(3)
  expect(after).toMatchObject({ restartPending: false, modelPath: join(models, 'better'), restarts: 0 })
  expect(after.command).toContain('better')
  await until('the old process to be gone', () => !isRunning(Number(before.pid)))
  expect((await fetch(`${after.endpoint}/models`)).status).toBe(200)
})

test('a change that does not work is taken back, and the old process goes on', async () => {
  const before = await given.running()

  await update({ deploymentId: before.id, extraArgs: ['--never-healthy'] })
  const after = await given.when(before.id, 'as before', ({ statusReason }) => statusReason !== null)

  expect(after.statusReason).toMatch(/^The change was taken back\. It did not become healthy/)
  expect(after).toMatchObject({ status: 'RUNNING', pid: before.pid, extraArgs: [], restartPending: false })
})

test('a second change before the first is done replaces it', async () => {
  const before = await given.running({ name: 'first' })
  await update({ deploymentId: before.id, extraArgs: ['--ready-after', '60'] })

  await update({ deploymentId: before.id, name: 'second', extraArgs: [] })
  const after = await given.when(before.id, 'changed', ({ pid }) => pid !== before.pid)

  expect(after).toMatchObject({ name: 'second', extraArgs: [], status: 'RUNNING' })
})

test('what is stopped is changed without a process', async () => {
  const { id } = await given.running()
  await app.api.send(DeploymentStopDocument, { input: { deploymentId: id } })

  expect(await update({ deploymentId: id, extraArgs: ['--seed', '7'] })).toMatchObject({
    status: 'STOPPED',
    extraArgs: ['--seed', '7'],
    restartPending: false,
    pid: null,
  })
})

test('an argument that is refused when a model is deployed is refused later too', async () => {
  const { id } = await given.running()
  const { updateDeployment } = await app.api.send(DeploymentUpdateDocument, {
    input: { deploymentId: id, extraArgs: ['--host=0.0.0.0'] },
  })
  expect(updateDeployment.__typename).toBe('ValidationError')
})
