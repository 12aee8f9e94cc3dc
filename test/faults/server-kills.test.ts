import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { RunLogDocument, RunTryCancelDocument, StartRunDocument } from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { createInsistentClient, type InsistentClient } from './support/insistent-client.ts'
import { createRandom, type Random } from './support/random.ts'
import { scaled, tell } from './support/scale.ts'
import { countByStatus, endedRuns, type StoredRun, storedRuns } from './support/stored-runs.ts'
import { differences, endError } from './support/verdict.ts'
import { createWitnesses, type Witnesses } from './support/witness.ts'

const ROUNDS = scaled(4, 100)
const MANY = scaled(10, 50)
/** As at an upgrade, in ms; a round in twenty has one. */
const LONG_ABSENCES = [60_000, 30_000, 20_000, 15_000, 10_000]
/** After the start of the server's process, the time in which every run that lives must be in its hands again. */
const ADOPTION_MS = 5000

let server: ServerProcess
let client: InsistentClient
let witnesses: Witnesses
let given: ReturnType<typeof seed>
beforeAll(async () => {
  server = await startServerProcess({ TRAINYARD_MAX_CONCURRENT_RUNS: '200' })
  client = createInsistentClient(server)
  given = seed(server.api)
  witnesses = await createWitnesses()
})
afterAll(async () => {
  await server.dispose()
  await witnesses.remove()
})

/** A run that somebody asked for. */
interface Ordered {
  key: string
  exitCode: number
  /** Once the request was acknowledged. */
  id: string | null
  cancelled: boolean
  released: boolean
}

test(`${ROUNDS} kills of the server at any moment lose, repeat and misreport no run`, async () => {
  const random = createRandom()
  onTestFailed(() => void process.stderr.write(`TRAINYARD_FAULTS_SEED=${random.seed} plays this again\n`))
  const project = await given.project({ command: witnesses.command })
  const orders: Ordered[] = []
  const found = { adopted: 0, slowest: 0, killsWhileStarting: 0, longestAway: 0 }

  for (let round = 0; round < ROUNDS; round++) {
    const activity = disturb(project, orders, random)
    // Often just after a request was sent, and always before the last of this round is over.
    await sleep(random.chance(0.4) ? random.below(50) : random.below(1500))
    await client.kill()

    const away = timeAway(round, random)
    found.longestAway = Math.max(found.longestAway, away)
    const leaving = living(orders).filter(() => random.chance(0.3))
    await sleep(away / 2)
    for (const order of leaving) await release(order)
    await sleep(away / 2)
    for (; random.chance(0.2); found.killsWhileStarting++) await client.startAndKill(random.below(1200))

    const adoptions = await adoptionsOf(living(orders), await client.start())
    found.adopted += adoptions.length
    found.slowest = Math.max(found.slowest, ...adoptions)
    await activity
  }

  for (const order of living(orders)) await release(order)
  const ends = await endedRuns(server.api, project)
  expect(ends.map((run) => run.id).sort()).toEqual(orders.map((order) => order.id).sort())
  const complaints: string[] = []
  let endErrorMs = 0
  for (const order of orders) {
    const run = ends.find(({ id }) => id === order.id)
    if (!run) continue
    const evidence = await witnesses.evidenceOf(run.id)
    complaints.push(...differences(run, evidence, order), ...(await logGaps(run, evidence.end?.lines ?? 0)))
    endErrorMs = Math.max(endErrorMs, endError(run, evidence))
  }
  tell('kill -9 of the server at any moment', {
    seed: random.seed,
    kills: ROUNDS + found.killsWhileStarting,
    'of them while it was starting': found.killsWhileStarting,
    'longest time away': `${found.longestAway} ms`,
    'requests cut off and sent again': client.retries(),
    ...countByStatus(ends),
    'lost, started twice or misreported': complaints.length,
    'adopted again while they ran': found.adopted,
    'slowest adoption after the start of the process': `${Math.round(found.slowest)} ms`,
    'largest error of an end time': `${Math.round(endErrorMs)} ms`,
  })
  expect(complaints).toEqual([])
  expect(found.slowest).toBeLessThan(ADOPTION_MS)
  await client.kill()
  await client.start()
  expect(await storedRuns(server.api, project)).toEqual(ends)
})

test(`${MANY} runs at the same time are adopted within 5 s of the start`, async () => {
  const project = await given.project({ command: witnesses.command })
  const orders = Array.from({ length: MANY }, (_, index): Ordered => {
    return { key: `many-${index}`, exitCode: 0, id: null, cancelled: false, released: false }
  })
  for (const order of orders) await submit(project, order)
  for (const order of orders) await until('its output', () => goesOn(order, 0))

  await client.kill()
  const slowest = Math.max(...(await adoptionsOf(orders, await client.start())))

  await Promise.all(orders.map(release))
  const ends = await endedRuns(server.api, project)
  tell('adoption of many runs at the same time', {
    runs: MANY,
    'slowest adoption after the start of the process': `${slowest} ms`,
  })
  expect(ends.filter((run) => run.status !== 'SUCCEEDED')).toEqual([])
  expect(slowest).toBeLessThan(ADOPTION_MS)
})

/** Starts, cancels and ends runs of every kind at random moments of the next second or so. */
function disturb(project: string, orders: Ordered[], random: Random): Promise<unknown> {
  const soon = async (action: () => Promise<unknown>) => {
    // Many at once, so that a kill shortly after meets several in different stages.
    await sleep(random.chance(0.4) ? 0 : random.below(1200))
    return action()
  }
  const start = (exitCode: number, milliseconds?: number) => {
    const order: Ordered = {
      key: `order-${orders.length}`,
      exitCode,
      id: null,
      cancelled: false,
      released: milliseconds !== undefined,
    }
    orders.push(order)
    return submit(project, order, milliseconds).then(() => order)
  }
  const [ended, cancelled] = [...living(orders)].sort(() => random.below(2) - 1)
  return Promise.all([
    soon(() => start(0, random.below(800))),
    soon(() => start(random.between(1, 142), random.below(800))),
    soon(() => start(random.between(0, 1))),
    soon(() => start(random.between(0, 1))),
    soon(() => start(random.between(0, 1))),
    soon(async () => cancel(await start(0))),
    soon(async () => ended && release(ended)),
    soon(async () => cancelled && cancel(cancelled)),
  ])
}

/** Sends the request, and sometimes the same at the same time once more, until it is acknowledged. */
async function submit(project: string, order: Ordered, milliseconds?: number): Promise<void> {
  const input = {
    project,
    idempotencyKey: order.key,
    model: witnesses.plan(order.exitCode, milliseconds && Math.round(milliseconds)),
  }
  const answers = await Promise.all([1, 2].map(() => client.insist(StartRunDocument, { input })))
  for (const { startRun } of answers) {
    if (startRun.__typename !== 'Run') throw new Error(JSON.stringify(startRun))
    expect(order.id ?? startRun.id).toBe(startRun.id)
    order.id = startRun.id
  }
}

async function cancel(order: Ordered): Promise<void> {
  if (order.id === null) return
  order.cancelled = true
  const input = { runId: order.id, graceSeconds: 60 }
  const { cancelRun } = await client.insist(RunTryCancelDocument, { input })
  // It may have ended by itself, or by this cancel, before the request that was answered.
  expect(['Run', 'ConflictError']).toContain(cancelRun.__typename)
}

async function release(order: Ordered): Promise<void> {
  order.released = true
  if (order.id !== null) await witnesses.release(order.id)
}

/** The runs that go on until somebody says otherwise. */
const living = (orders: Ordered[]) =>
  orders.filter((order) => order.id !== null && !order.released && !order.cancelled)

/** How long the server is away, in ms: mostly shortly, so that many times fit in; a few times for up to a minute. */
function timeAway(round: number, random: Random): number {
  const long = LONG_ABSENCES[(round - 10) / 20]
  if (long !== undefined) return long
  return random.chance(0.15) ? 0 : Math.round(random.below(random.chance(0.2) ? scaled(2000, 6000) : 1500))
}

/**
 * Milliseconds from a start of the server until the log of each run goes on; those that are ended meanwhile are
 * left out. The start is that of the process; in `npm test`, whose other files load their programs at the same
 * time, the moment at which it listens. One request at a time, so that to ask is no burden.
 */
async function adoptionsOf(
  orders: Ordered[],
  { spawnedAt, listenedAt }: { spawnedAt: number; listenedAt: number },
): Promise<number[]> {
  const times: number[] = []
  for (const order of orders) {
    await until('the log to go on', async () => order.released || order.cancelled || goesOn(order, spawnedAt))
    if (!order.released && !order.cancelled) times.push(Date.now() - scaled(listenedAt, spawnedAt))
  }
  return times
}

async function goesOn({ id }: Ordered, since: number): Promise<boolean> {
  if (id === null) return false
  const { run } = await server.api.send(RunLogDocument, { id, last: 3 })
  const lines = run?.logs.edges.map(({ node }) => /^line \d+ ([\d.]+)$/.exec(node.message)?.[1]) ?? []
  return lines.some((printedAt) => Number(printedAt) * 1000 > since)
}

/** Whether the log has exactly the lines that a run printed, as a complaint. */
async function logGaps({ id }: StoredRun, lines: number): Promise<string[]> {
  const log = await given.log(id)
  const numbers = log.filter(({ source }) => source === 'STDOUT').map(({ message }) => message.split(' ')[1])
  const whole = numbers.length === lines && numbers.every((number, index) => Number(number) === index + 1)
  return whole ? [] : [`${id}: printed ${lines} lines, but its log has ${numbers.join(' ')}`]
}
