import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import { createAuditRetention } from '../../../src/domains/audit/retention.ts'
import { AuditTrailDocument } from '../../../src/generated/operations.ts'
import { startTestApp } from '../../support/app.ts'
import { storeEvents, storeManyEvents } from '../../support/stored-events.ts'
import { until } from '../../support/until.ts'

let dataDir: string
let database: Database
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(dataDir, 'trainyard.db'))
})
afterEach(async () => {
  await database.close()
  await rm(dataDir, { recursive: true })
})

const now = () => new Date('2026-03-01T00:00:00Z')
const count = () => database.prisma.auditEvent.count()
const given = (auditDays: number, everyMs?: number) =>
  createAuditRetention({
    database,
    log: pino({ level: 'silent' }),
    auditDays,
    now,
    ...(everyMs && { everyMs }),
  })

test('events whose time is over are removed at the start, in batches, and the others stay', async () => {
  await storeManyEvents(dataDir, 2500) // of 2026-01-01
  await storeEvents(dataDir, [{ createdAt: new Date('2026-02-27T00:00:00Z'), targetName: 'young' }])
  const retention = given(30)

  retention.start()
  await until('the old ones to be gone', async () => (await count()) === 1)

  await retention.stop()
  expect(await database.prisma.auditEvent.findMany()).toMatchObject([{ targetName: 'young' }])
})

test('events that become old later are removed too', async () => {
  const retention = given(30, 10)
  retention.start()
  await storeManyEvents(dataDir, 3)

  await until('the old ones to be gone', async () => (await count()) === 0)

  await retention.stop()
})

test('with 0 days they stay for ever', async () => {
  await storeManyEvents(dataDir, 3)
  const retention = given(0)

  retention.start()
  await retention.stop()

  expect(await count()).toBe(3)
})

test('a server removes them when it starts', async () => {
  const app = await startTestApp({ auditDays: 1 })
  await storeEvents(app.dataDir, [{ createdAt: new Date('2026-01-01T00:00:00Z'), address: 'old' }])
  const old = async () =>
    (await app.api.send(AuditTrailDocument, { filter: { address: 'old' } })).auditEvents.totalCount
  expect(await old()).toBe(1)

  await app.restart()

  await until('the old one to be gone', async () => (await old()) === 0)
  await app.stop()
})
