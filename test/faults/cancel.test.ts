import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunTryCancelDocument, RunUpdatedDocument } from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { connectSubscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { createRandom, type Random } from './support/random.ts'
import { scaled, tell } from './support/scale.ts'
import { countByStatus, endedRuns, storedRuns } from './support/stored-runs.ts'
import { createTrees, markedProcesses, survivors, TREES, type Trees } from './support/trees.ts'

const CANCELS = scaled(10, 500)
const RACES = scaled(12, 240)
/** How many trees there are at the same time, and how many races. */
const AT_ONCE = scaled(5, 8)
const BATCH = 20
/** After the grace, the time in which the last process of a tree must be gone. */
const LIMIT_MS = 2000

let server: ServerProcess
let trees: Trees
let folder: string
let given: ReturnType<typeof seed>
let random: Random
beforeAll(async () => {
  server = await startServerProcess({ TRAINYARD_MAX_CONCURRENT_RUNS: '100' })
  given = seed(server.api)
  trees = await createTrees()
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  random = createRandom()
})
afterAll(async () => {
  await server.dispose()
  await trees.remove()
  await rm(folder, { recursive: true, force: true })
})

test(`of ${CANCELS} cancelled trees that are hard to end nothing is left 2 s after their grace`, async () => {
  const project = await given.project({ command: trees.command })
  const lateness: Record<string, number> = {}
  await inTurns(CANCELS, AT_ONCE, async (index) => {
    const kind = TREES[index % TREES.length] ?? TREES[0]
    const grace = random.pick(GRACES)
    const late = (await timeToEnd(await readyTree(project, kind), grace)) - grace * 1000
    lateness[kind] = Math.max(Math.round(late), lateness[kind] ?? -1000)
  })

  for (const ms of Object.values(lateness)) expect(ms).toBeLessThan(LIMIT_MS)
  const runs = await endedRuns(server.api, project)
  expect(new Set(runs.map((run) => run.status))).toEqual(new Set(['CANCELLED']))
  const left = markedProcesses()
  expect(runs.filter((run) => left.has(run.id))).toEqual([])
  tell('cancel of trees that are hard to end', {
    seed: random.seed,
    cancelled: runs.length,
    'processes left': 0,
    ...Object.fromEntries(
      Object.entries(lateness).map(([kind, ms]) => [`the last process of ${kind} gone`, `grace + ${ms} ms`]),
    ),
  })
})

/** In seconds; what ends by itself does so within the longer ones. */
const GRACES = [0, 0.3, 1] as const

/** Does `work` so many times, some of it at the same time. */
async function inTurns(times: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < times) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** A run whose tree is complete. */
async function readyTree(project: string, kind: string): Promise<string> {
  const id = await given.run({ project, model: kind })
  await until(`the tree ${kind} to be ready`, async () => {
    return (await given.log(id)).some(({ message }) => message === 'ready')
  })
  return id
}

/** Milliseconds from the answer to a cancel until no process of the run is left. */
async function timeToEnd(id: string, grace: number): Promise<number> {
  const members = await trees.membersOf(id)
  expect(survivors(members)).not.toEqual([])
  await given.cancel(id, grace)
  const cancelledAt = performance.now()
  await until('no process to be left', () => {
    return survivors(members).length === 0 && !markedProcesses().has(id)
  })
  return performance.now() - cancelledAt
}

test(`${RACES} cancels that meet the natural end give one final state each, which never changes`, async () => {
  const project = await given.project({ command: ['bash', '-c', UNTIL_TIME, '{model}'] })
  const watcher = await connectSubscriber(server.url)
  for (let first = 0; first < RACES; first += BATCH) {
    const end = join(folder, `end-${first}`)
    const start = async () => {
      const id = await given.run({ project, model: end })
      const updates = watcher.subscribe(RunUpdatedDocument, { runId: id })
      await given.when(id, 'running', (run) => run.status === 'RUNNING')
      return { id, updates }
    }
    const runs = await Promise.all(Array.from({ length: Math.min(BATCH, RACES - first) }, start))
    const endsAt = Date.now() + 500
    await writeFile(end, `${endsAt * 1000}\n`)
    await Promise.all(
      runs.map(async ({ id, updates }) => {
        // A request takes longer than the end.
        const cancelAt = endsAt - random.between(-20, 150)
        await until('the moment of the race', () => Date.now() >= cancelAt)
        const { cancelRun } = await server.api.send(RunTryCancelDocument, {
          input: { runId: id, graceSeconds: 5 },
        })
        await updates.over()

        const run = await given.state(id)
        const { status } = run
        if (cancelRun.__typename === 'ConflictError') expect(status).toBe('SUCCEEDED')
        else expect(['SUCCEEDED', 'CANCELLED']).toContain(status)
        if (status === 'SUCCEEDED')
          expect(run).toMatchObject({ exitCode: 0, statusReason: null, progress: 1 })
        const seen = updates.data.map(({ runUpdated }) => runUpdated.status).filter(isFinal)
        expect(seen).toEqual([status])
      }),
    )
  }
  await watcher.close()

  const ends = await storedRuns(server.api, project)
  expect(ends.every((run) => isFinal(run.status))).toBe(true)
  await server.kill('SIGKILL')
  await server.start()
  for (const { id } of ends) {
    const { cancelRun } = await server.api.send(RunTryCancelDocument, { input: { runId: id } })
    expect(cancelRun.__typename).toBe('ConflictError')
  }
  expect(await storedRuns(server.api, project)).toEqual(ends)
  tell('cancel that meets the natural end', {
    ...countByStatus(ends),
    'final states that changed': 0,
  })
})

/** Ends, as exactly as it can, at the time in microseconds since 1970 that appears in a file. */
const UNTIL_TIME = `
  exec 4<> <(:)
  until [ -s "$0" ]; do read -rt 0.02 -u 4; done
  read -r end <"$0"
  until ((\${EPOCHREALTIME/./} >= end)); do read -rt 0.002 -u 4; done
  exit 0`

const isFinal = (status: string) => ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'].includes(status)
