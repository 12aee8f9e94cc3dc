import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import { createAlertRetention } from '../../../src/domains/alerts/retention.ts'
import { newId } from '../../../src/ids.ts'
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

const now = () => new Date('2026-06-01T00:00:00Z')
const LONG_AGO = new Date('2026-01-01T00:00:00Z')
const LATELY = new Date('2026-05-30T00:00:00Z')

const given = (alertDays: number) =>
  createAlertRetention({ database, log: pino({ level: 'silent' }), alertDays, now })

async function store(subjectName: string, subjectKind: string, firedAt: Date, resolvedAt: Date | null) {
  const data = {
    ...{ id: newId('Alert'), condition: 'NODE_CPU', level: 'WARNING', subjectKind, subjectId: 'x' },
    ...{ subjectName, message: '', firedAt, resolvedAt },
  }
  await database.transaction((tx) => tx.alert.create({ data }))
}
const names = async () => {
  const left = await database.prisma.alert.findMany({ orderBy: { id: 'asc' } })
  return left.map(({ subjectName }) => subjectName)
}

test('alerts go when they were resolved long ago, and those of runs when they are old; what is open stays', async () => {
  await store('resolved long ago', 'ComputeNode', LONG_AGO, LONG_AGO)
  await store('resolved lately', 'ComputeNode', LONG_AGO, LATELY)
  await store('open', 'ComputeNode', LONG_AGO, null)
  await store('old run', 'Run', LONG_AGO, null)
  await store('new run', 'Run', LATELY, null)
  const retention = given(90)

  retention.start()
  await until('the old ones to be gone', async () => (await names()).length === 3)
  await retention.stop()

  expect(await names()).toEqual(['resolved lately', 'open', 'new run'])
})

test('with 0 days they stay for ever', async () => {
  await store('old', 'Run', LONG_AGO, LONG_AGO)
  const retention = given(0)

  retention.start()
  await retention.stop()

  expect(await names()).toEqual(['old'])
})
