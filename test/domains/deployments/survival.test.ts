import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning } from '../../support/processes.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

let server: ServerProcess
let models: string
let given: ReturnType<typeof givenDeployments>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  server = await startServerProcess({
    TRAINYARD_MODEL_ROOTS: models,
    TRAINYARD_DEPLOYMENT_PORTS: '18150-18199',
    TRAINYARD_DEPLOYMENT_STOP_SECONDS: '5',
  })
  given = givenDeployments(server.api)
  await givenEngine(server.api, models)
})
afterAll(async () => {
  await given.deleteAll()
  await server.dispose()
  await rm(models, { recursive: true, force: true })
})

test('a killed server finds its deployments again: the same process, port and log, and nothing started twice', async () => {
  const before = await given.running({ name: 'survivor' })
  const { pid, port, id } = before

  await server.kill('SIGKILL')
  expect(isRunning(Number(pid))).toBe(true)
  await server.start()

  const adopted = await given.state(id)
  expect(adopted).toMatchObject({ pid, port, status: 'RUNNING', restarts: 0 })
  await fetch(`http://127.0.0.1:${port}/unhealthy`, { method: 'POST' })
  await given.reaches(id, 'UNHEALTHY')
  await fetch(`http://127.0.0.1:${port}/healthy`, { method: 'POST' })
  expect(await given.reaches(id, 'RUNNING')).toMatchObject({ pid, port })
  const messages = (await given.log(id)).map(({ message }) => message)
  expect(messages.filter((message) => message.startsWith('Start '))).toHaveLength(1)
  expect(messages.filter((message) => message.includes('listens'))).toHaveLength(1)
})

test('a model server that dies while the server is down is started again', async () => {
  const { id, pid } = await given.running()

  await server.kill('SIGKILL')
  process.kill(Number(pid), 'SIGKILL')
  await server.start()

  const again = await given.when(id, 'running again', (it) => it.status === 'RUNNING' && it.restarts === 1)
  expect(again.pid).not.toBe(pid)
})

test('a delete that was accepted right before a kill is carried out', async () => {
  const { id, pid } = await given.running({ extraArgs: ['--ignore-sigterm'] })
  const deletion = given.delete(id).catch(() => 'the server was killed')
  await until('the delete to be accepted', async () => (await given.state(id)).status === 'STOPPING')

  await server.kill('SIGKILL')
  await deletion
  expect(isRunning(Number(pid))).toBe(true)
  await server.start()

  await until('the process to be gone', () => !isRunning(Number(pid)))
  await until('the deployment to be gone', () =>
    given.state(id).then(
      () => false,
      () => true,
    ),
  )
})
