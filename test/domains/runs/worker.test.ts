import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import { createApiTokenService } from '../../../src/domains/accounts/api-tokens.ts'
import type { UserPrincipal } from '../../../src/domains/accounts/principal.ts'
import { updateOwnNode } from '../../../src/domains/compute-nodes/own-node.ts'
import { createProjectAccess } from '../../../src/domains/projects/access.ts'
import { createProjectService } from '../../../src/domains/projects/service.ts'
import { createReportingService } from '../../../src/domains/runs/reporting.ts'
import { createRunService } from '../../../src/domains/runs/service.ts'
import { isFinal } from '../../../src/domains/runs/status.ts'
import { createRunWatcher } from '../../../src/domains/runs/watch.ts'
import { inBackground } from '../../../src/domains/runs/worker/in-background.ts'
import {
  createScheduler,
  type Scheduler,
  sweepRunFolders,
} from '../../../src/domains/runs/worker/scheduler.ts'
import { type ExecutionReport, type Executor, LaunchError } from '../../../src/execution/executor.ts'
import { newEncryptionKey } from '../../../src/secrets/encryption-key.ts'
import { createSealer } from '../../../src/secrets/sealer.ts'
import { createFilesystemStorage } from '../../../src/storage/filesystem.ts'
import { createSignals, type Signals } from '../../../src/streams/signals.ts'
import { until } from '../../support/until.ts'

let folder: string
let database: Database
let principal: UserPrincipal
let signals: Signals
let schedulers: Scheduler[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
  signals = createSignals()
  schedulers = []
  const { id: userId } = await database.prisma.user.create({
    data: { id: 'usr_1', username: 'somebody', passwordHash: '', preferences: {}, createdAt: new Date() },
  })
  principal = {
    kind: 'user',
    userId,
    username: 'somebody',
    role: 'MEMBER',
    scopes: ['RUN'],
    mustChangePassword: false,
    credential: { kind: 'session', id: 'ses_1' },
    origin: { address: null, userAgent: null },
    expiresAt: null,
  }
  await projects().create(principal, { name: 'project', command: ['train'] })
  await updateOwnNode(database, { hostname: 'own', hardware: {}, maxRuns: 2, version: '0' })
})
afterEach(async () => {
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()))
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const runsDir = () => join(folder, 'runs')
const projects = () =>
  createProjectService({ database, signals, freeCommands: true, discardRuns: async () => {} })
const runs = (executor: Executor) =>
  createRunService({
    database,
    signals,
    executor,
    runsDir: runsDir(),
    cancelGraceSeconds: 30,
    freeCommands: true,
  })
const start = (executor: Executor) => runs(executor).start(principal, { project: 'project' })

/** A scheduler as a server has it; a test that starts a second one has a second server. */
async function work(executor: Executor): Promise<Scheduler> {
  const scheduler = createScheduler({
    database,
    signals,
    executor,
    runsDir: runsDir(),
    sealer: createSealer([newEncryptionKey()]),
    storage: await createFilesystemStorage({ root: join(folder, 'storage') }),
    room: {
      isFull: async () => false,
      wasFullAt: () => false,
      findCut: async () => null,
      stop: () => undefined,
    },
    apiTokens: createApiTokenService({ database, signals }),
    leases: { isOver: () => false },
    apiUrl: () => 'http://127.0.0.1/graphql',
    log: pino({ level: 'silent' }),
    cancelGraceSeconds: 30,
    artifactQuietMs: 0,
  })
  schedulers.push(scheduler)
  await scheduler.start()
  return scheduler
}

/** An executor without processes: an execution is what a test says it is. */
function fakeExecutor(overrides: Partial<Executor> = {}) {
  const executor: Executor & { launched: string[]; terminated: number[]; report: ExecutionReport } = {
    launched: [],
    terminated: [],
    report: { state: 'absent' },
    async launch(spec) {
      executor.launched.push(spec.marker.value)
      executor.report = RUNNING
    },
    inspect: async () => executor.report,
    release: async () => undefined,
    async terminate(_, { graceSeconds }) {
      executor.terminated.push(graceSeconds)
    },
    filesBeingWritten: async () => [],
    isPortOfStranger: async () => false,
    ...overrides,
  }
  return executor
}

const RUNNING: ExecutionReport = { state: 'running', pid: 1, startedAt: new Date(1000), supervised: true }
const EXITED: ExecutionReport = {
  state: 'exited',
  exitCode: 0,
  signal: null,
  startedAt: new Date(1000),
  endedAt: new Date(2000),
  termination: null,
  cleanup: { killed: false, unfinishedFiles: [] },
}

const find = (id: string) => database.prisma.run.findUniqueOrThrow({ where: { id } })
const reaches = (id: string, status: string) =>
  until(`the run to be ${status}`, async () => {
    const run = await find(id)
    return run.status === status && run
  })

test('a cancel that could not be passed on is passed on as soon as that works', async () => {
  let full = true
  const terminated: number[] = []
  const executor = fakeExecutor({
    async terminate(_, { graceSeconds }) {
      if (full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      terminated.push(graceSeconds)
    },
  })
  await work(executor)
  const { id } = await start(executor)
  await reaches(id, 'RUNNING')

  const refused = runs(executor).cancel(principal, { runId: id, graceSeconds: 7 })
  await expect(refused).rejects.toThrow('no space left')
  expect((await find(id)).status).toBe('CANCELLING')
  full = false
  await until('the processes to be asked', () => terminated.length > 0)
  expect(terminated).toEqual([7])
})

test('a cancel that a server stored before it died is passed on by the next one', async () => {
  const executor = fakeExecutor()
  const first = await work(executor)
  const { id } = await start(executor)
  await reaches(id, 'RUNNING')
  await first.stop()
  await database.prisma.run.update({ where: { id }, data: { status: 'CANCELLING', graceSeconds: 3 } })

  await work(executor)
  await until('the processes to be asked', () => executor.terminated.length > 0)
  expect(executor.terminated).toEqual([3])
  expect(executor.launched).toEqual([id])
})

test('a run that cannot be launched has failed, and nothing of it can start later', async () => {
  const executor = fakeExecutor({ launch: () => Promise.reject(new LaunchError('no more processes')) })
  await work(executor)
  const { id } = await start(executor)
  const run = await reaches(id, 'FAILED')
  expect(run.statusReason).toContain('no more processes')
  expect(executor.terminated).toEqual([0])
})

test('a server that stops while it launches a run leaves it to the next one, which launches nothing', async () => {
  const { promise: underWay, resolve: reached } = Promise.withResolvers<void>()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const executor = fakeExecutor()
  const slow: Executor = {
    ...executor,
    async launch(spec) {
      reached()
      await held
      await executor.launch(spec)
    },
  }
  const first = await work(slow)
  const { id } = await start(slow)
  await underWay
  const stopped = first.stop()
  release()
  await stopped
  expect((await find(id)).status).toBe('STARTING')

  await work(executor)
  await reaches(id, 'RUNNING')
  executor.report = EXITED
  expect(await reaches(id, 'SUCCEEDED')).toMatchObject({
    startedAt: new Date(1000),
    finishedAt: new Date(2000),
  })
  expect(executor.launched).toEqual([id])
})

test('a run whose records vanish while it runs is lost, and not started a second time', async () => {
  const executor = fakeExecutor()
  await work(executor)
  const { id } = await start(executor)
  await reaches(id, 'RUNNING')
  executor.report = { state: 'absent' }
  expect((await reaches(id, 'LOST')).statusReason).toContain('gone')
  expect(executor.launched).toEqual([id])
  // Should it run all the same, nobody would find it any more.
  expect(executor.terminated).toEqual([30])
})

test('a run that ended before anyone looked has all its times', async () => {
  const executor = fakeExecutor()
  await work({
    ...executor,
    async launch() {
      executor.report = EXITED
    },
  })
  const { id } = await start(executor)
  expect(await reaches(id, 'SUCCEEDED')).toMatchObject({
    exitCode: 0,
    startedAt: new Date(1000),
    progress: 1,
  })
})

test('a report that meets the end of its run is stored before the end or refused', async () => {
  const executor = fakeExecutor()
  await work(executor)
  const { id } = await start(executor)
  await reaches(id, 'RUNNING')
  const reporting = createReportingService({ database, signals })
  executor.report = EXITED
  let accepted = 0
  for (;;) {
    // Each report is a request of its own: the rest of the server has its turn in between.
    await setImmediate()
    try {
      await reporting.appendLogs(principal, { runId: id, lines: [{ message: `line ${accepted + 1}` }] })
      accepted++
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFLICT' })
      break
    }
  }
  expect(isFinal((await find(id)).status)).toBe(true)
  const { logStreamId } = await find(id)
  expect(await database.prisma.logLine.count({ where: { streamId: logStreamId } })).toBe(accepted)
})

test('who watches all runs sees one that is started while the subscription begins', async () => {
  const executor = fakeExecutor()
  const watcher = createRunWatcher({ database, signals, access: createProjectAccess({ database }) })
  for (let round = 0; round < 5; round++) {
    const beginning = watcher.updates(principal, { project: 'project' })
    const [stream, { id }] = await Promise.all([beginning, start(executor)])
    const seen = new Set<string>()
    while (!seen.has(id)) {
      const { value } = await stream.next()
      seen.add(value.id)
    }
    await stream.return?.()
  }
})

test('the folders of many runs are looked through with no more statements than those of few', async () => {
  const executor = fakeExecutor()
  const sweep = () =>
    sweepRunFolders({
      database,
      runsDir: runsDir(),
      executor: fakeExecutor(),
      log: pino({ level: 'silent' }),
    })
  const countStatements = async () => {
    let statements = 0
    const stop = database.onStatement(() => statements++)
    await sweep()
    stop()
    return statements
  }
  await start(executor)
  const few = await countStatements()
  for (let run = 0; run < 20; run++) await start(executor)
  expect(await countStatements()).toBe(few)
})

test('folders without a run are removed, unless something was started there', async () => {
  const executor = fakeExecutor()
  const [kept, neverStarted, started] = [await start(executor), await start(executor), await start(executor)]
  await writeFile(join(runsDir(), started.id, 'process', 'stdout.log'), 'results')
  await database.prisma.run.deleteMany({ where: { id: { in: [neverStarted.id, started.id] } } })
  await sweepRunFolders({
    database,
    runsDir: runsDir(),
    executor: fakeExecutor(),
    log: pino({ level: 'silent' }),
  })
  expect((await readdir(runsDir())).filter((name) => name !== neverStarted.id)).toEqual(
    expect.arrayContaining([kept.id, started.id]),
  )
  expect(await readdir(runsDir())).not.toContain(neverStarted.id)
})

test('work in the background is done once at a time, and its failure is told', async () => {
  let running = 0
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const background = inBackground(async () => {
    running++
    await held
    throw new Error('the disk is gone')
  }, 0)
  background.tick()
  background.tick()
  expect(running).toBe(1)
  release()
  await background.idle()
  expect(() => background.tick()).toThrow('the disk is gone')
})
