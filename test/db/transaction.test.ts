import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@libsql/client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase, type Transaction } from '../../src/db/database.ts'
import { outageOf } from '../../src/outage.ts'

let folder: string
let database: Database
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const addDataset = (tx: Transaction, name: string, createdById = 'usr_1') =>
  tx.dataset.create({
    data: {
      id: `ds_${name}`,
      name,
      metadata: {},
      status: 'EMPTY',
      createdAt: new Date(),
      updatedAt: new Date(),
      createdBy: { connect: { id: createdById } },
    },
  })
const addUser = (tx: Transaction, id: string) =>
  tx.user.create({ data: { id, username: id, passwordHash: '', preferences: {}, createdAt: new Date() } })
const users = async () =>
  (await database.prisma.user.findMany({ orderBy: { id: 'asc' } })).map((user) => user.id)

test('a transaction whose work fails leaves nothing behind, and the next one works', async () => {
  const failing = database.transaction(async (tx) => {
    await addUser(tx, 'usr_1')
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  await database.transaction((tx) => addUser(tx, 'usr_2'))
  expect(await users()).toEqual(['usr_2'])
})

test('a transaction whose COMMIT fails leaves nothing behind, and the next one works', async () => {
  const failing = database.transaction(async (tx) => {
    await addUser(tx, 'usr_1')
    await addDataset(tx, 'numbers')
    // With the check of foreign keys put off, what breaks them is found by COMMIT, which then leaves the transaction open.
    await tx.$executeRawUnsafe('PRAGMA defer_foreign_keys = ON')
    await tx.$executeRawUnsafe('DELETE FROM "User"')
  })
  await expect(failing).rejects.toThrow()
  expect(await users()).toEqual([])
  await database.transaction((tx) => addUser(tx, 'usr_2'))
  expect(await users()).toEqual(['usr_2'])
  expect(await database.prisma.dataset.count()).toBe(0)
})

test('a statement that fails in a transaction does not end it when the work goes on', async () => {
  await database.transaction(async (tx) => {
    await addUser(tx, 'usr_1')
    await expect(addUser(tx, 'usr_1')).rejects.toMatchObject({ code: 'P2002' })
    await addUser(tx, 'usr_2')
  })
  expect(await users()).toEqual(['usr_1', 'usr_2'])
})

test('many transactions at once are done one after the other, with what is read outside in between', async () => {
  await database.transaction((tx) => addUser(tx, 'usr_0'))
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const work = database.transaction(async (tx) => {
        const count = await tx.user.count()
        await addUser(tx, `usr_${count}`)
        if (index % 10 === 9) throw new Error('never mind')
      })
      await Promise.all([work.catch(() => undefined), database.prisma.user.count()])
    }),
  )
  expect(await users()).toHaveLength(46)
})

/** Has the lock of the database, as a backup would. */
async function lockFromOutside() {
  const other = createClient({ url: `file:${join(folder, 'trainyard.db')}` })
  await other.execute('BEGIN IMMEDIATE')
  return async () => {
    await other.execute('ROLLBACK')
    other.close()
  }
}

test("what is written waits for another program's lock, and nothing else has to", async () => {
  const unlock = await lockFromOutside()
  const writing = database.transaction((tx) => addUser(tx, 'usr_1'))
  const done = writing.then(() => true)
  for (let reads = 0; reads < 10; reads++) {
    const longest = await longestPauseDuring(async () => {
      await sleep(20)
      expect(await users()).toEqual([])
    })
    expect(longest).toBeLessThan(1000)
  }
  expect(await Promise.race([done, sleep(0, false)])).toBe(false)
  await unlock()
  await writing
  expect(await users()).toEqual(['usr_1'])
})

test('a lock that is never given back is an outage, after a while and for all who wait', async () => {
  const unlock = await lockFromOutside()
  const failures = await Promise.all(
    ['usr_1', 'usr_2', 'usr_3'].map((id) =>
      database.transaction((tx) => addUser(tx, id)).then(() => null, outageOf),
    ),
  )
  expect(failures).toEqual(['database-locked', 'database-locked', 'database-locked'])
  await unlock()
  await database.transaction((tx) => addUser(tx, 'usr_4'))
  expect(await users()).toEqual(['usr_4'])
})

/** The longest time for which the event loop stood still, in ms. */
async function longestPauseDuring(work: () => Promise<void>): Promise<number> {
  let [longest, last] = [0, performance.now()]
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 5)
  await work()
  clearInterval(timer)
  return longest
}
