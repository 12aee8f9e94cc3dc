import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type ResumeRunInput,
  RunTryResumeDocument,
  RunTryStartDocument,
  type StartRunInput,
} from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { createInsistentClient, type InsistentClient } from './support/insistent-client.ts'
import { createRandom, type Random } from './support/random.ts'
import { scaled, tell } from './support/scale.ts'
import { endedRuns, storedRuns } from './support/stored-runs.ts'
import { createWitnesses, type Witnesses } from './support/witness.ts'

const KEYS = scaled(20, 100)
const TRIALS = scaled(1, 5)
const KILLS = scaled(2, 4)

let server: ServerProcess
let client: InsistentClient
let witnesses: Witnesses
let given: ReturnType<typeof seed>
let random: Random
beforeAll(async () => {
  server = await startServerProcess({ TRAINYARD_MAX_CONCURRENT_RUNS: '8' })
  client = createInsistentClient(server)
  given = seed(server.api)
  witnesses = await createWitnesses()
  random = createRandom()
})
afterAll(async () => {
  await server.dispose()
  await witnesses.remove()
})

const start = async (input: StartRunInput) => (await client.insist(RunTryStartDocument, { input })).startRun
const resume = async (input: ResumeRunInput) =>
  (await client.insist(RunTryResumeDocument, { input })).resumeRun
const idOf = (answer: Awaited<ReturnType<typeof start | typeof resume>>) => {
  if (answer.__typename !== 'Run') throw new Error(JSON.stringify(answer))
  return answer.id
}

/** The ids that requests with these keys give, all sent at once, and again whenever a kill cuts them off. */
async function allThroughKills(keys: string[], send: (key: string) => Promise<string>): Promise<string[]> {
  let answered = 0
  const answers = Promise.all(
    keys.map(async (key) => {
      const id = await send(key)
      answered++
      return id
    }),
  )
  for (let kill = 0; kill < KILLS && answered < keys.length; kill++) {
    await sleep(random.below(150))
    await client.kill()
    await client.start()
  }
  return answers
}

const numbered = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`)

test(`${KEYS} startRun at once, with the server killed on the way, make one run for each key`, async () => {
  for (let trial = 0; trial < TRIALS; trial++) {
    const project = await given.project({ command: witnesses.command })
    const keys = numbered(KEYS, `start-${trial}`)
    const retriesBefore = client.retries()
    const ids = await allThroughKills(keys, async (idempotencyKey) =>
      idOf(await start({ project, idempotencyKey, model: witnesses.plan(0, 0) })),
    )

    expect(new Set(ids).size).toBe(KEYS)
    const runs = await endedRuns(server.api, project, 120_000)
    expect(runs.map((run) => run.id).sort()).toEqual(ids.toSorted())
    expect(runs.every((run) => run.status === 'SUCCEEDED')).toBe(true)
    const evidence = await Promise.all(ids.map(witnesses.evidenceOf))
    expect(evidence.filter(({ starts }) => starts.length !== 1)).toEqual([])
    const folders = await readdir(join(server.dataDir, 'runs'))
    expect(folders).toEqual(expect.arrayContaining(ids))
    expect(folders).toHaveLength((trial + 1) * KEYS)
    tell('startRun in parallel with idempotency keys, the server killed on the way', {
      seed: random.seed,
      keys: KEYS,
      'requests cut off and sent again': client.retries() - retriesBefore,
      runs: runs.length,
      'started twice or never': 0,
    })
  }
})

test('the same key many times at once makes one run, also when the server is killed on the way', async () => {
  const project = await given.project({ command: witnesses.command })
  const input = { project, idempotencyKey: 'only-once', model: witnesses.plan(0, 0) }
  const ids = await allThroughKills(numbered(50, 'request'), async () => idOf(await start(input)))

  expect(new Set(ids).size).toBe(1)
  expect(await endedRuns(server.api, project)).toMatchObject([{ id: ids[0], status: 'SUCCEEDED' }])
  expect(idOf(await start(input))).toBe(ids[0])
  expect((await witnesses.evidenceOf(ids[0] ?? '')).starts).toHaveLength(1)
})

test('the same key with other input is a conflict, whoever comes first, and after a restart too', async () => {
  const project = await given.project({ command: witnesses.command })
  const request = (exitCode: number) =>
    start({ project, idempotencyKey: 'contested', model: witnesses.plan(exitCode, 0) })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => request(index % 2)))

  const winners = answers.flatMap((answer, index) => (answer.__typename === 'Run' ? [index] : []))
  const parity = (winners[0] ?? 0) % 2
  expect(winners).toEqual(Array.from({ length: 10 }, (_, index) => 2 * index + parity))
  await client.kill()
  await client.start()
  expect(await request(1 - parity)).toMatchObject({
    __typename: 'ConflictError',
    code: 'CONFLICT',
    message: expect.stringContaining('contested'),
  })
  expect((await request(parity)).__typename).toBe('Run')
  expect(await storedRuns(server.api, project)).toHaveLength(1)
})

test('a run is resumed once for each key, also when the server is killed on the way', async () => {
  const script = `
    mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-1"; echo weights > "$TRAINYARD_OUTPUT_DIR/checkpoint-1/model.bin"
    exec bash "$@"`
  const project = await given.project({ command: ['bash', '-c', script, ...witnesses.command] })
  const model = witnesses.plan(0, 0)
  const first = await given.run({ project, model })
  await given.end(first)
  const keys = numbered(scaled(6, 30), 'resume')
  const ids = await allThroughKills([...keys, ...keys, ...keys], async (idempotencyKey) =>
    idOf(await resume({ runId: first, idempotencyKey })),
  )

  const distinct = [...new Set(ids)]
  expect(ids).toEqual([1, 2, 3].flatMap(() => ids.slice(0, keys.length)))
  expect(distinct).toHaveLength(keys.length)
  const runs = await endedRuns(server.api, project)
  expect(runs.map((run) => run.id).sort()).toEqual([first, ...distinct].sort())
  const evidence = await Promise.all(distinct.map(witnesses.evidenceOf))
  expect(evidence.filter(({ starts }) => starts.length !== 1)).toEqual([])
  const other = await resume({ runId: first, idempotencyKey: keys[0], hyperparameters: { learningRate: 1 } })
  expect(other).toMatchObject({ __typename: 'ConflictError' })
})
