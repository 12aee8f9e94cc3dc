import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readRecord } from '../../src/execution/supervisor/records.ts'
import { RunTryCancelDocument } from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { scaled, tell } from './support/scale.ts'
import { createStrangers, type Strangers } from './support/strangers.ts'
import { createWitnesses, type Witnesses } from './support/witness.ts'

const TIMES = scaled(1, 10)

let server: ServerProcess
let strangers: Strangers
let witnesses: Witnesses
let given: ReturnType<typeof seed>
let project: string
beforeAll(async () => {
  server = await startServerProcess({ TRAINYARD_MAX_CONCURRENT_RUNS: '20' })
  given = seed(server.api)
  strangers = await createStrangers()
  witnesses = await createWitnesses()
  project = await given.project({ command: witnesses.command })
})
afterAll(async () => {
  await server.dispose()
  await strangers.remove()
  await witnesses.remove()
})

const cancel = async (runId: string, graceSeconds: number) =>
  (await server.api.send(RunTryCancelDocument, { input: { runId, graceSeconds } })).cancelRun
const directoryOf = (id: string) => join(server.dataDir, 'runs', id, 'process')

/** A run that goes on until somebody ends it. */
async function longRun(): Promise<string> {
  const id = await given.run({ project, model: witnesses.plan(0) })
  await until('the script to run', async () => (await given.log(id)).length > 0)
  return id
}

async function pidOf(id: string, record: 'supervisor' | 'process'): Promise<number> {
  const written = await until(`the ${record} record`, () => readRecord(directoryOf(id), record))
  return written.identity.pid
}

/** Kills processes of a run as the kernel does when memory is short, and gives their ids to strangers. */
async function replace(id: string, ...records: ('supervisor' | 'process')[]) {
  for (const record of records) process.kill(await pidOf(id, record), 'SIGKILL')
  return Promise.all(records.map((record) => strangers.takeOver(directoryOf(id), record)))
}

test('a run whose process ids have gone to others is lost with a reason, and they are left alone', async () => {
  for (let time = 0; time < TIMES; time++) {
    const id = await longRun()
    await server.kill('SIGKILL')
    const others = await replace(id, 'supervisor', 'process')
    await server.start()

    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'LOST', exitCode: null })
    expect(run.statusReason).toContain('its process id belongs to another program now')
    expect(await cancel(id, 0)).toMatchObject({ __typename: 'ConflictError' })
    for (const other of others) expect(await other.harm()).toEqual([])
  }
  tell('process ids that were used again', {
    'really used again': String(strangers.areReal()),
    runs: TIMES,
    'strangers harmed': 0,
  })
})

test('a cancel that is still to be carried out leaves them alone too', async () => {
  for (let time = 0; time < TIMES; time++) {
    const id = await longRun()
    // Nothing acts on it before the kill: a stopped supervisor does not.
    process.kill(await pidOf(id, 'supervisor'), 'SIGSTOP')
    await cancel(id, 0)
    await server.kill('SIGKILL')
    const others = await replace(id, 'supervisor', 'process')
    await server.start()

    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'CANCELLED', exitCode: null })
    expect(run.statusReason).toContain('its process id belongs to another program now')
    for (const other of others) expect(await other.harm()).toEqual([])
  }
})

test('a run that lost only its supervisor is cancelled without a signal to whoever has its id', async () => {
  for (let time = 0; time < TIMES; time++) {
    const id = await longRun()
    const [other] = await replace(id, 'supervisor')
    expect(await cancel(id, 5)).toMatchObject({ status: 'CANCELLING' })

    expect(await given.end(id)).toMatchObject({ status: 'CANCELLED', exitCode: null })
    const { starts, end } = await witnesses.evidenceOf(id)
    expect(starts).toHaveLength(1)
    expect(end?.exitCode).toBe(143)
    expect(await other?.harm()).toEqual([])
  }
})
