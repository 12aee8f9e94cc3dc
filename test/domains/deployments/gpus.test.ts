import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type CreateDeploymentInput, DeploymentCreateDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { writeNvidiaSmi } from '../../support/nvidia-smi.ts'
import { givenDeployments, givenEngine, TEST_ENGINE } from './support/deployments.ts'

const PATH = process.env.PATH
let app: TestApp
let models: string
let given: ReturnType<typeof givenDeployments>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  // A machine with four GPUs, as far as this program tells.
  await writeNvidiaSmi(
    models,
    [1000, 80_000, 60_000, 0].map((free) => ({ 'memory.free': free })),
  )
  process.env.PATH = `${models}:${PATH}`
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_420, last: 18_449 } })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  await writeFile(join(models, 'tiny', 'model.safetensors'), Buffer.alloc(1024 * 1024))
})
afterEach(() => given.deleteAll())
afterAll(async () => {
  await app.stop()
  process.env.PATH = PATH
  await rm(models, { recursive: true, force: true })
})

async function refusalOf(input: CreateDeploymentInput): Promise<unknown> {
  const { createDeployment } = await app.api.send(DeploymentCreateDocument, {
    input: { modelPath: 'tiny', engine: TEST_ENGINE.name, ...input },
  })
  return createDeployment.__typename
}

test('each deployment gets a GPU of its own, the one with most free memory first, until none has room', async () => {
  const made = [await given.deployment(), await given.deployment(), await given.deployment()]
  expect(made.map(({ gpuIds }) => gpuIds)).toEqual([[1], [2], [0]])
  // The last one is full.
  expect(await refusalOf({})).toBe('UnavailableError')

  await given.delete(made[1]?.id ?? '')
  expect((await given.deployment()).gpuIds).toEqual([2])
})

test('the preferred one is taken when it is free, and several when they are asked for', async () => {
  expect((await given.deployment({ preferredGpu: 0 })).gpuIds).toEqual([0])
  expect((await given.deployment({ preferredGpu: 0, gpuCount: 2 })).gpuIds).toEqual([1, 2])
  expect(await refusalOf({ gpuCount: 5 })).toBe('UnavailableError')
  expect((await given.deployment({ gpuCount: 0 })).gpuIds).toEqual([])
})

test('two requests at once never get the same GPU', async () => {
  const made = await Promise.all([given.deployment(), given.deployment(), given.deployment()])
  expect(made.flatMap(({ gpuIds }) => gpuIds).toSorted()).toEqual([0, 1, 2])
})

test('a model server sees its GPUs alone, and keeps them when it is started again', async () => {
  const { id, pid } = await given.running({ gpuCount: 2 })
  const environment = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
  expect(environment).toEqual(
    expect.arrayContaining(['CUDA_VISIBLE_DEVICES=1,2', 'CUDA_DEVICE_ORDER=PCI_BUS_ID']),
  )

  process.kill(Number(pid), 'SIGKILL')
  expect(await given.when(id, 'running again', (it) => it.restarts === 1 && it.healthy)).toMatchObject({
    gpuIds: [1, 2],
  })
})
