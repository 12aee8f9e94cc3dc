import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@libsql/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunLogsDocument, RunUpdatedDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'
import { connectSubscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  given = seed(app.api)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

/** Makes every statement about a table fail while `work` goes on. */
async function without<T>(table: string, work: () => Promise<T>): Promise<T> {
  const database = createClient({ url: `file:${join(app.dataDir, 'trainyard.db')}` })
  const rename = async (from: string, to: string) => {
    await database.execute('PRAGMA busy_timeout = 5000')
    await database.execute(`ALTER TABLE "${from}" RENAME TO "${to}"`)
  }
  await rename(table, 'Elsewhere')
  try {
    return await work()
  } finally {
    await rename('Elsewhere', table)
    database.close()
  }
}

const counter = (lines: number) => `
  let n = 0
  const timer = setInterval(() => { console.log('line ' + ++n); if (n === ${lines}) clearInterval(timer) }, 5)`
const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`)

test('a database that fails for a while loses no line of a run, not even of one that ends meanwhile', async () => {
  const long = await given.run({ project: await given.project({ script: counter(500) }) })
  const short = await given.run({ project: await given.project({ script: counter(60) }) })
  await until('both to be under way', async () => {
    return (await given.log(long)).length > 0 && (await given.log(short)).length > 0
  })
  let statements = 0
  await without('LogLine', async () => {
    const stop = app.onStatement(() => statements++)
    await sleep(1500)
    stop()
    expect((await given.state(long)).status).toBe('RUNNING')
  })
  // Two runs that are looked at again each second, not as fast as the machine can.
  expect(statements).toBeLessThan(200)
  for (const [id, count] of [
    [long, 500],
    [short, 60],
  ] as const) {
    expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
    expect((await given.log(id)).map((line) => line.message)).toEqual(lines(count))
  }
})

test('a run that cannot even be looked up is not asked about without a pause', async () => {
  const id = await given.run({ project: await given.project({ script: counter(100) }) })
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  let statements = 0
  await without('Run', async () => {
    const stop = app.onStatement(() => statements++)
    await sleep(1200)
    stop()
  })
  expect(statements).toBeLessThan(100)
  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED' })
  expect((await given.log(id)).map((line) => line.message)).toEqual(lines(100))
})

test('a watcher whose stream cannot be read is told so, and the rest of its socket goes on', async () => {
  const id = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  const watcher = await connectSubscriber(app.url)
  const updates = watcher.subscribe(RunUpdatedDocument, { runId: id })
  await until('the present state', () => updates.data.length === 1)
  await without('LogLine', async () => {
    const log = watcher.subscribe(RunLogsDocument, { runId: id })
    await log.over()
    expect(log.errorCodes).toEqual(['INTERNAL_SERVER_ERROR'])
  })
  expect(watcher.isOpen()).toBe(true)
  await given.cancel(id, 0)
  await updates.over()
  expect(updates.data.at(-1)?.runUpdated.status).toBe('CANCELLED')
  const again = watcher.subscribe(RunLogsDocument, { runId: id })
  await again.over()
  expect(again.data.flatMap(({ runLogs }) => runLogs.lines)).toMatchObject([{ seq: 1 }, { seq: 2 }])
  await watcher.close()
})
