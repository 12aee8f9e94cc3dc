import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../../src/db/database.ts'
import { createLeases, type Leases } from '../../../../src/domains/compute-nodes/agents/leases.ts'
import { createSignals } from '../../../../src/streams/signals.ts'
import { until } from '../../../support/until.ts'

let folder: string
let database: Database
let leases: Leases
let clock: number
let writes: number
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-leases-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
  clock = 0
  writes = 0
  const counting: Database = {
    ...database,
    transaction(work) {
      writes++
      return database.transaction(work)
    },
  }
  leases = createLeases({
    database: counting,
    signals: createSignals(),
    nodeLeaseSeconds: 30,
    runLeaseSeconds: 600,
    log: pino({ level: 'silent' }),
    now: () => clock,
  })
})
afterEach(async () => {
  await leases.stop()
  await database.close()
  await rm(folder, { recursive: true })
})

const LONG_AGO = new Date('2020-01-01T00:00:00Z')

async function givenNodes(...names: string[]) {
  await database.transaction(async (tx) => {
    for (const [index, name] of names.entries()) {
      await tx.computeNode.create({
        data: {
          id: name,
          name,
          type: 'SERVER',
          isOnline: false,
          hardware: {},
          createdAt: LONG_AGO,
          updatedAt: LONG_AGO,
          telemetryId: 100 + index,
        },
      })
    }
  })
}

const nodeOf = (id: string) => database.prisma.computeNode.findUniqueOrThrow({ where: { id } })
const forget = () =>
  database.transaction((tx) => tx.computeNode.updateMany({ data: { lastSeenAt: LONG_AGO } }))

test('that many nodes are heard of all the time is written down together, now and then', async () => {
  await givenNodes('one', 'two', 'silent')
  for (const id of ['one', 'two', 'silent']) await leases.renew(id)
  await forget()
  writes = 0
  for (clock = 0; clock < 11_000; clock += 100) for (const id of ['one', 'two']) await leases.renew(id)
  expect(writes).toBe(0)

  await leases.start()

  await until(
    'it to be written',
    async () => (await nodeOf('one')).lastSeenAt?.getTime() !== LONG_AGO.getTime(),
  )
  expect((await nodeOf('two')).lastSeenAt).toEqual((await nodeOf('one')).lastSeenAt)
  expect((await nodeOf('silent')).lastSeenAt).toEqual(LONG_AGO)
  expect(writes).toBe(1)
})

test('of a node that is not heard of any more it is written when that was', async () => {
  await givenNodes('gone')
  await leases.renew('gone')
  const heard = Date.now()
  clock = 31_000

  await leases.start()

  await until('it to be missed', async () => !(await nodeOf('gone')).isOnline)
  const { lastSeenAt } = await nodeOf('gone')
  expect(heard - Number(lastSeenAt)).toBeGreaterThan(20_000)
})

test('a node that could not be written down is written with its next word', async () => {
  await givenNodes('late')
  const transaction = database.transaction
  database.transaction = () => Promise.reject(new Error('The disk is full.'))
  await expect(leases.renew('late')).rejects.toThrow('The disk is full.')
  database.transaction = transaction
  await leases.renew('late')
  expect(await nodeOf('late')).toMatchObject({ isOnline: true })
})
