import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, type TestContext, test } from 'vitest'
import { RunLogsDocument, RunTryCancelDocument, RunUpdatedDocument } from '../../src/generated/operations.ts'
import { PASSWORD } from '../support/app.ts'
import { createClient } from '../support/client.ts'
import { endRuns } from '../support/end-runs.ts'
import { isRunning } from '../support/processes.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { connectSubscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { problemsIn } from './support/data-folder.ts'
import { IMPATIENT, outputOf, PATIENT } from './support/full-disk-scripts.ts'
import { createLedger, type Ledger } from './support/ledger.ts'
import { scaled, tell } from './support/scale.ts'
import { mountSmallDisk, type SmallDisk } from './support/small-disk.ts'
import { createWriters } from './support/writers.ts'

const ROUNDS = scaled(2, 30)

let mounted: SmallDisk | string
let server: ServerProcess
let given: ReturnType<typeof seed>
beforeAll(async () => {
  mounted = mountSmallDisk(64)
  if (typeof mounted === 'string') {
    process.stdout.write(`\nThe scenarios of a full disk are skipped: ${mounted}.\n`)
    return
  }
  server = await startServerProcess({
    TRAINYARD_DATA_DIR: join(mounted.path, 'data'),
    TRAINYARD_MAX_CONCURRENT_RUNS: '20',
  })
  given = seed(server.api)
})
afterEach(async () => {
  if (typeof mounted === 'string') return
  mounted.free()
  await endRuns(server.api)
})
afterAll(async () => {
  if (typeof mounted === 'string') return
  await server.dispose()
  mounted.unmount()
})

/** The disk, or the end of the test where there can be none. */
function smallDisk({ skip }: TestContext): SmallDisk {
  if (typeof mounted === 'string') return skip(mounted)
  return mounted
}

const readiness = async () => (await fetch(`${server.url}/readyz`)).status

test('what cannot be stored is refused with UNAVAILABLE, all else works, and so does everything once there is room', async (context) => {
  const disk = smallDisk(context)
  const runId = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  const ledgers = (await createWriters(server.api, runId, 'a')).map(createLedger)
  const watcher = await connectSubscriber(server.url)
  const updates = watcher.subscribe(RunUpdatedDocument, { runId })
  const log = watcher.subscribe(RunLogsDocument, { runId })

  for (let round = 1; round <= ROUNDS; round++) {
    const loops = ledgers.map((ledger) => writeUntilRefused(ledger, 300))
    await sleep(Math.random() * 200)
    disk.fill()
    await Promise.all(loops)

    expect(await readiness()).toBe(503)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect((await given.state(runId)).status).toBe('RUNNING')
    await createClient(server.url).signIn('admin', PASSWORD)
    for (const ledger of ledgers) await ledger.check()

    disk.free()
    expect(await readiness()).toBe(200)
    for (const ledger of ledgers) {
      const refusals = ledger.refused.size
      await ledger.write()
      expect(ledger).toMatchObject({ refused: { size: refusals }, unknown: { size: 0 } })
      await ledger.check()
    }
    expect(problemsIn(server.dataDir)).toEqual([])
  }
  const lines = 5 * (ledgers.find(({ writer }) => writer.name === 'appendRunLogs')?.stored.size ?? 0)
  await until(
    'every line to be seen',
    () => log.data.flatMap(({ runLogs }) => runLogs.lines).length === lines,
  )
  expect([updates.errorCodes, log.errorCodes, updates.isOver(), log.isOver()]).toEqual([[], [], false, false])
  await watcher.close()
  tell('a disk that fills up under writes', {
    rounds: ROUNDS,
    stored: total(ledgers, 'stored'),
    'refused with UNAVAILABLE': total(ledgers, 'refused'),
    'lost or half-made': 0,
  })
})

async function writeUntilRefused(ledger: Ledger, most: number): Promise<void> {
  const before = ledger.refused.size
  for (let writes = 0; ledger.refused.size === before; writes++) {
    if (writes === most) throw new Error(`${ledger.writer.name} was never refused`)
    await ledger.write()
    if (ledger.unknown.size > 0) throw new Error(`${ledger.writer.name} was not answered`)
  }
}

test('runs that print and save while the disk is full lose nothing that they wrote, and end as they ended', async (context) => {
  const disk = smallDisk(context)
  const end = join(disk.path, 'may-end')
  const patient = await given.run({
    project: await given.project({ command: [process.execPath, '-e', PATIENT, end] }),
  })
  const impatient = await given.run({
    project: await given.project({ command: [process.execPath, '-e', IMPATIENT] }),
  })
  const cancelled = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  for (const id of [patient, impatient, cancelled])
    await given.when(id, 'running', (run) => run.status === 'RUNNING')
  await until('a checkpoint', async () => (await given.state(patient)).artifacts.totalCount > 0)

  disk.fill()
  await until('the impatient one to end', () => !isRunning(outputOf(server.dataDir, impatient).pid))
  const answer = await server.api.ask(RunTryCancelDocument, { input: { runId: cancelled, graceSeconds: 1 } })
  expect(answer.errors).toBeUndefined()
  expect(['Run', 'UnavailableError']).toContain(answer.data?.cancelRun.__typename)
  await sleep(2000)
  expect((await given.state(patient)).status).toBe('RUNNING')
  disk.free()

  const lines = (await given.log(patient)).length
  await until('more lines', async () => (await given.log(patient)).length > lines + 50)
  await writeFile(end, '')
  await server.api.ask(RunTryCancelDocument, { input: { runId: cancelled, graceSeconds: 1 } })
  expect(await given.end(patient)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
  expect(await given.end(impatient)).toMatchObject({
    status: 'FAILED',
    exitCode: 3,
    statusReason: expect.stringContaining('The disk was full at that time'),
  })
  expect(await given.end(cancelled)).toMatchObject({ status: 'CANCELLED' })
  for (const id of [patient, impatient]) {
    const { lines, artifacts } = outputOf(server.dataDir, id)
    const log = (await given.log(id)).filter((line) => line.source === 'STDOUT')
    expect(log.map((line) => line.message)).toEqual(lines)
    const recorded = (await given.state(id)).artifacts.edges.map(({ node }) => node)
    expect(recorded.map(({ name, sha256 }) => [name, sha256]).toSorted()).toEqual(artifacts)
  }
  const [cut] = outputOf(server.dataDir, impatient).cut
  expect((await given.log(impatient)).map((line) => line.message)).toContainEqual(
    expect.stringContaining(`${cut} was being written when the disk was full`),
  )
  expect(problemsIn(server.dataDir)).toEqual([])
})

test('a run that is started as the disk fills up is refused, or waits and then runs', async (context) => {
  const disk = smallDisk(context)
  const project = await given.project({ command: ['true'] })
  const outcomes = { refused: 0, ran: 0 }
  for (let round = 0; round < scaled(3, 60); round++) {
    const starting = given.run({ project }).catch((error: unknown) => String(error))
    await sleep(Math.random() * 250)
    disk.fill()
    const answer = await starting
    await sleep(1200)
    disk.free()
    if (answer.includes('UNAVAILABLE')) {
      outcomes.refused++
      continue
    }
    expect(await given.end(answer)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0, statusReason: null })
    outcomes.ran++
  }
  expect(problemsIn(server.dataDir)).toEqual([])
  tell('runs that are started as the disk fills up', outcomes)
})

test('a server that is killed and started again on a full disk serves what is there', async (context) => {
  const disk = smallDisk(context)
  const id = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  for (let round = 0; round < ROUNDS; round++) {
    disk.fill()
    await server.kill('SIGKILL')
    await server.start()
    expect(await readiness()).toBe(503)
    expect((await given.state(id)).status).toBe('RUNNING')
    disk.free()
    expect(await readiness()).toBe(200)
    expect(problemsIn(server.dataDir)).toEqual([])
  }
  await given.cancel(id, 0)
  expect(await given.end(id)).toMatchObject({ status: 'CANCELLED' })
})

test('a server that is started for the first time on a full disk says so, harms nothing, and starts once there is room', async (context) => {
  const disk = smallDisk(context)
  const dataDir = join(disk.path, 'first')
  const logFile = join(disk.path, 'first.log')
  const settings = { TRAINYARD_DATA_DIR: dataDir }
  const said = new Set<string>()
  // From no room at all to what the first start takes.
  const step = scaled(128, 16) * 1024
  for (let left = 0; left < scaled(2, 64) * step; left += step) {
    await writeFile(logFile, ' '.repeat(4096))
    disk.fill(left)
    await truncate(logFile)
    const started = await startServerProcess(settings, { logFile }).catch(() => null)
    if (started) await started.dispose()
    else said.add(await readFile(logFile, 'utf8'))
    disk.free()
    await (await startServerProcess(settings)).dispose()
    expect(problemsIn(dataDir)).toEqual([])
    await rm(dataDir, { recursive: true })
  }
  expect([...said]).toEqual([`The data folder ${dataDir} cannot be used: its disk is full.\n`])
})

test('a server whose log lies on the full disk lives on, and stops as it should', async (context) => {
  const disk = smallDisk(context)
  const settings = { TRAINYARD_DATA_DIR: join(disk.path, 'logging'), LOG_LEVEL: 'info' }
  const logFile = join(disk.path, 'server.log')
  const logging = await startServerProcess(settings, { logFile })
  try {
    disk.fill()
    disk.fillUp(logFile)
    // Stopping is told in the log before and after.
    expect(await logging.kill('SIGTERM')).toBe(0)
  } finally {
    disk.free()
    await logging.dispose()
  }
  expect(problemsIn(logging.dataDir)).toEqual([])
  await rm(logging.dataDir, { recursive: true })
})

function total(ledgers: Ledger[], what: 'stored' | 'refused'): number {
  return ledgers.reduce((sum, ledger) => sum + ledger[what].size, 0)
}
