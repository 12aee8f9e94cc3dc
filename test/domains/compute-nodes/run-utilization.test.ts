import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRunUtilization } from '../../../src/domains/compute-nodes/telemetry/run-utilization.ts'
import { givenTelemetry, gpuSample, START, sampleAt } from './support/telemetry.ts'

let given: Awaited<ReturnType<typeof givenTelemetry>>
let utilization: ReturnType<typeof createRunUtilization>
/** The runs that were announced. */
let announced: (string | undefined)[]
beforeEach(async () => {
  given = await givenTelemetry()
  const { database, signals, store, clock } = given
  utilization = createRunUtilization({ database, signals, latest: store.latest, now: () => clock.now })
  announced = []
  signals.listen('runs', (id) => announced.push(id))
  await database.transaction(async (tx) => {
    const [createdAt, updatedAt] = [new Date(START), new Date(START)]
    await tx.user.create({
      data: { id: 'usr', username: 'user', passwordHash: '', preferences: {}, createdAt },
    })
    const project = { id: 'prj', name: 'project', status: 'ACTIVE', ownerId: 'usr', createdAt, updatedAt }
    await tx.project.create({ data: { ...project, defaultHyperparameters: {}, command: [], resumeArgs: [] } })
  })
})
afterEach(() => given.end())

/** A run that holds GPUs of node_1. */
async function givenRun(id: string, gpus: number[], status = 'RUNNING') {
  await given.database.transaction(async (tx) => {
    const [log, metrics] = [await tx.stream.create({ data: {} }), await tx.stream.create({ data: {} })]
    await tx.run.create({
      data: {
        id,
        name: id,
        status,
        hyperparameters: {},
        resources: {},
        argv: [],
        startCommand: '',
        createdAt: new Date(START),
        updatedAt: new Date(START),
        projectId: 'prj',
        createdById: 'usr',
        logStreamId: log.id,
        metricStreamId: metrics.id,
        gpus: { create: gpus.map((gpu) => ({ gpu, nodeId: 'node_1' })) },
      },
    })
  })
}

/** node_1 measures its GPUs, so many ms after the sample before. */
async function measure(afterMs: number, utilizations: (number | null)[]) {
  given.clock.now += afterMs
  const gpus = utilizations.map((value, index) => gpuSample({ index, utilization: value }))
  const sample = sampleAt(given.clock.now, { gpus })
  given.store.record('node_1', sample)
  utilization.note('node_1', sample)
  await utilization.update()
}

const stored = async (id: string) =>
  (await given.database.prisma.run.findUniqueOrThrow({ where: { id } })).gpuUtilization

test('a run is told how busy its own GPUs are, on average', async () => {
  await givenRun('run_a', [0, 2])
  await givenRun('run_b', [1])
  await givenRun('run_c', [])
  await measure(2000, [100, 30, 50])
  expect(await stored('run_a')).toBe(0.75)
  expect(await stored('run_b')).toBe(0.3)
  expect(await stored('run_c')).toBeNull()
  expect(announced).toEqual(['run_a', 'run_b'])
})

test('it is not told of changes that are small, and of others when some time is over', async () => {
  await givenRun('run_a', [0])
  await measure(2000, [50])
  await measure(2000, [50.5])
  expect(announced).toHaveLength(1)
  await measure(2000, [52])
  expect(announced).toHaveLength(2)
  await measure(500, [90])
  expect(await stored('run_a')).toBe(0.52)
  given.clock.now += 1500
  await utilization.update()
  expect(await stored('run_a')).toBe(0.9)
  expect(announced).toHaveLength(3)
})

test('a GPU that tells nothing does not count, and a run that is over stays as it was', async () => {
  await givenRun('run_a', [0, 1])
  await givenRun('run_over', [2], 'SUCCEEDED')
  await measure(2000, [null, 40, 90])
  expect(await stored('run_a')).toBe(0.4)
  expect(await stored('run_over')).toBeNull()
  await measure(2000, [null, null, 90])
  expect(await stored('run_a')).toBe(0.4)
})

test('without news nothing is asked of the database', async () => {
  await givenRun('run_a', [0])
  await measure(2000, [50])
  let statements = 0
  given.database.onStatement(() => statements++)
  await utilization.update()
  await measure(2000, [])
  expect(statements).toBe(0)
})
