import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import { alertTopics } from '../../../src/domains/alerts/topics.ts'
import { createAlertWorker } from '../../../src/domains/alerts/worker/worker.ts'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import { nodeTopics } from '../../../src/domains/compute-nodes/topics.ts'
import { createSignals } from '../../../src/streams/signals.ts'
import { until } from '../../support/until.ts'

const NODE = OWN_NODE_ID
const CALM = { cpuUsage: 10, memoryUsage: 20, diskUsage: 30, gpus: [] }
const BUSY = { ...CALM, cpuUsage: 97.25 }

let dataDir: string
let database: Database
let worker: ReturnType<typeof createAlertWorker>
let time: number
const signals = createSignals()

function newWorker() {
  const log = pino({ level: 'silent' })
  return createAlertWorker({ database, signals, log, alertDays: 90, now: () => new Date(time) })
}

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(dataDir, 'trainyard.db'))
  time = Date.now()
  await database.transaction((tx) => tx.computeNode.update({ where: { id: NODE }, data: { isOnline: true } }))
  worker = newWorker()
  await worker.start()
})
afterEach(async () => {
  await worker.stop()
  await database.close()
  await rm(dataDir, { recursive: true })
})

/** Lets the node measure itself every so many seconds, from now on for so long. */
async function measures(sample: Parameters<typeof worker.observe>[1], seconds: number, every = 2) {
  for (let passed = 0; passed <= seconds; passed += every) {
    worker.observe(NODE, sample)
    if (passed < seconds) time += every * 1000
  }
  await worker.idle()
}

const alerts = () => database.prisma.alert.findMany({ orderBy: { id: 'asc' } })

describe('a condition that must hold for five minutes', () => {
  test('fires when it has, and not before', async () => {
    await measures(BUSY, 298)
    expect(await alerts()).toEqual([])

    await measures(BUSY, 2)
    expect(await alerts()).toMatchObject([
      {
        condition: 'NODE_CPU',
        level: 'WARNING',
        subjectKind: 'ComputeNode',
        subjectId: NODE,
        subjectName: 'server',
        value: 97.3,
        message: 'server: CPU usage is 97.3 %, at or above 90 % for 300 s.',
        projectId: null,
        resolvedAt: null,
      },
    ])
  })

  test('begins anew after a sample in which it does not hold', async () => {
    await measures(BUSY, 298)
    await measures(CALM, 0)
    await measures(BUSY, 298)

    expect(await alerts()).toEqual([])
  })

  test('begins anew after more than a minute without samples', async () => {
    await measures(BUSY, 200)
    time += 61_000
    await measures(BUSY, 200)

    expect(await alerts()).toEqual([])
  })

  test('goes on over a minute without samples', async () => {
    await measures(BUSY, 200)
    time += 60_000
    await measures(BUSY, 40)

    expect(await alerts()).toHaveLength(1)
  })
})

test('an alert is open once, is resolved by itself, and another one opens later', async () => {
  await measures(BUSY, 600)
  expect(await alerts()).toHaveLength(1)

  await measures(CALM, 0)
  expect(await alerts()).toMatchObject([{ resolvedAt: new Date(time) }])

  await measures(BUSY, 600)
  const [first, second] = await alerts()
  expect(second).toMatchObject({ resolvedAt: null })
  expect(second?.id).not.toBe(first?.id)
})

test('an alert that is open outlives the server as the same alert', async () => {
  await measures(BUSY, 300)
  await worker.stop()
  worker = newWorker()
  await worker.start()

  await measures(BUSY, 600)
  expect(await alerts()).toMatchObject([{ resolvedAt: null }])

  await measures(CALM, 0)
  expect(await alerts()).toMatchObject([{ resolvedAt: expect.any(Date) }])
})

test('the defaults are 90 % CPU, 85 % memory, 90 % disk and 75 °C, where the hottest GPU counts', async () => {
  const gpu = (index: number, temperatureCelsius: number | null) => ({ index, temperatureCelsius })
  const below = { cpuUsage: 89.9, memoryUsage: 84.9, diskUsage: 89.9, gpus: [gpu(0, 74.9), gpu(1, null)] }
  await measures(below, 400)
  expect(await alerts()).toEqual([])

  await measures({ cpuUsage: 90, memoryUsage: 85, diskUsage: 90, gpus: [gpu(0, 75), gpu(3, 81)] }, 400)

  const found = (await alerts()).map(({ condition, value, level }) => [condition, value, level]).sort()
  expect(found).toEqual([
    ['GPU_TEMPERATURE', 81, 'WARNING'],
    ['NODE_CPU', 90, 'WARNING'],
    ['NODE_DISK', 90, 'CRITICAL'],
    ['NODE_MEMORY', 85, 'WARNING'],
  ])
  const hot = (await alerts()).find(({ condition }) => condition === 'GPU_TEMPERATURE')
  expect(hot?.message).toContain('the temperature of GPU 3 is 81 °C')
})

test('a rule that is changed counts anew, and an open alert goes by it', async () => {
  const rule = { where: { name: 'High CPU usage' } }
  const change = async (threshold: number) => {
    time += 1
    const data = { threshold, updatedAt: new Date(time) }
    await database.transaction((tx) => tx.alertRule.update({ ...rule, data }))
    let isKnown = false
    const stop = database.onStatement((sql) => {
      isKnown ||= sql.includes('`Run`') // it looks at runs when it has looked at everything else
    })
    signals.notify(alertTopics.rules, 'any')
    await until('the rule to be known', () => isKnown)
    stop()
  }
  await measures(BUSY, 200)
  await change(95)
  await measures(BUSY, 298)
  expect(await alerts()).toEqual([])
  await measures(BUSY, 2)
  expect(await alerts()).toMatchObject([{ resolvedAt: null }])

  await change(99)
  await measures(BUSY, 0)
  expect(await alerts()).toMatchObject([{ resolvedAt: expect.any(Date) }])
})

test('what cannot be told changes nothing', async () => {
  const full = { ...CALM, diskUsage: 99 }
  await measures(full, 0)
  await measures({ ...full, diskUsage: null }, 600)

  expect(await alerts()).toMatchObject([{ condition: 'NODE_DISK', resolvedAt: null }])
})

test('samples of 200 nodes cost no statement while nothing changes', async () => {
  await measures(BUSY, 300)
  const statements: string[] = []
  const stop = database.onStatement((sql) => statements.push(sql))

  for (let round = 0; round < 100; round++) {
    for (let node = 0; node < 200; node++) worker.observe(`node-${node}`, CALM)
    worker.observe(NODE, BUSY)
    time += 2000
  }
  await worker.idle()
  stop()

  expect(statements).toEqual([])
})

describe('a node that is gone', () => {
  const change = async (data: { isOnline?: boolean; mode?: string }) => {
    await database.transaction((tx) => tx.computeNode.update({ where: { id: NODE }, data }))
    signals.notify(nodeTopics.any, NODE)
  }
  const offline = () => database.prisma.alert.findMany({ where: { condition: 'NODE_OFFLINE' } })
  /** The clock goes on while somebody waits. */
  const whenTold = (is: (found: Awaited<ReturnType<typeof offline>>) => boolean) =>
    until('the alert', async () => {
      time += 1000
      return is(await offline())
    })

  test('is told of after half a minute, until it is back', async () => {
    await change({ isOnline: false })
    await whenTold((found) => found.length === 1)
    expect(await offline()).toMatchObject([{ level: 'CRITICAL', resolvedAt: null }])

    await change({ isOnline: true })
    await whenTold(([alert]) => alert?.resolvedAt !== null)
  })

  test('while no server runs is found at the start, and one that came back too', async () => {
    await worker.stop()
    await change({ isOnline: false })
    worker = newWorker()
    await worker.start()
    await whenTold((found) => found.length === 1)

    await worker.stop()
    await change({ isOnline: true })
    worker = newWorker()
    await worker.start()
    await whenTold(([alert]) => alert?.resolvedAt !== null)
    expect(await offline()).toHaveLength(1)
  })

  test('on purpose is not told of', async () => {
    await change({ isOnline: false })
    await whenTold((found) => found.length === 1)
    await change({ mode: 'STOPPED' })

    await whenTold(([alert]) => alert?.resolvedAt !== null)
  })

  test('for good has no alerts that are open', async () => {
    const id = 'node_00000000000000000000000001'
    const at = new Date()
    await database.transaction((tx) =>
      tx.computeNode.create({
        data: {
          ...{ id, name: 'brief', type: 'SERVER', hardware: {}, isOnline: true, telemetryId: 7 },
          ...{ createdAt: at, updatedAt: at },
        },
      }),
    )
    worker.observe(id, { ...CALM, diskUsage: 95 })
    await worker.idle()
    expect(await alerts()).toMatchObject([{ subjectName: 'brief', resolvedAt: null }])

    await database.transaction((tx) => tx.computeNode.delete({ where: { id } }))
    signals.notify(nodeTopics.any, id)

    await until('it to be resolved', async () => (await alerts())[0]?.resolvedAt)
  })
})
