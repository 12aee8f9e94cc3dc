import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RunTryCancelDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { isRunning } from '../../support/processes.ts'
import { type RunState, seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  given = seed(app.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

const bash = async (script: string, ...args: string[]) =>
  given.run({ project: await given.project({ command: ['bash', '-c', script, ...args] }) })
const cancel = async (runId: string, graceSeconds?: number) =>
  (await app.api.send(RunTryCancelDocument, { input: { runId, graceSeconds } })).cancelRun
/** A run once its script has printed `ready`. */
const ready = async (id: string) => {
  await until('the script to be ready', async () =>
    (await given.log(id)).some((line) => line.message === 'ready'),
  )
  return id
}
const artifactNames = (run: RunState) => run.artifacts.edges.map((edge) => edge.node.name)

describe.concurrent('a run that fails says why', () => {
  test('with exit code 1, and what it last said on stderr', async () => {
    const run = await given.end(await bash(`echo fine; printf 'out of memory at layer 7\\n\\n' >&2; exit 1`))
    expect(run).toMatchObject({ status: 'FAILED', exitCode: 1, canResume: false })
    expect(run.statusReason).toContain('exit code 1')
    expect(run.statusReason).toContain('out of memory at layer 7')
    const log = await given.log(run.id)
    expect(log.at(-1)).toMatchObject({ source: 'SYSTEM', level: 'ERROR', message: run.statusReason })
  })

  test('with the signal that ended it', async () => {
    const run = await given.end(await bash('kill -SEGV $$'))
    expect(run).toMatchObject({ status: 'FAILED', exitCode: null })
    expect(run.statusReason).toContain('SIGSEGV')
  })

  test.each([
    ['a command that does not exist', { command: ['no-such-trainer', '--fast'] }, 'no-such-trainer'],
    [
      'a working directory that is missing',
      { command: ['true'], workingDirectory: '/no/such/place' },
      '/no/such/place',
    ],
  ])('with %s', async (_, fields, named) => {
    const run = await given.end(await given.run({ project: await given.project(fields) }))
    expect(run).toMatchObject({ status: 'FAILED', exitCode: null, startedAt: null })
    expect(run.statusReason).toContain('not found')
    expect(run.statusReason).toContain(named)
  })

  test('with a file that is not executable', async () => {
    const file = join(folder, 'train.sh')
    await writeFile(file, '#!/bin/sh\n', { mode: 0o644 })
    const run = await given.end(await given.run({ project: await given.project({ command: [file] }) }))
    expect(run).toMatchObject({ status: 'FAILED', exitCode: null })
    expect(run.statusReason).toContain('not executable')
  })
})

describe.concurrent('cancelling', () => {
  test('kills after the grace what ignores SIGTERM', async () => {
    const id = await ready(
      await bash(
        `trap '' TERM; echo $$ > "$0"; echo ready; while :; do sleep 0.02; done`,
        join(folder, 'deaf'),
      ),
    )
    const requestedAt = Date.now()
    expect(await cancel(id, 0.5)).toMatchObject({ status: 'CANCELLING' })
    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'CANCELLED', exitCode: null })
    expect(run.statusReason).toContain('killed')
    expect(Date.parse(run.finishedAt ?? '') - requestedAt).toBeGreaterThanOrEqual(500)
    expect(isRunning(await pidIn('deaf'))).toBe(false)
  })

  test('ends a grandchild in a session of its own too', async () => {
    const id = await ready(
      await bash(
        `setsid bash -c 'trap "" HUP; echo $$ > "$0"; while :; do sleep 0.02; done' "$0" & 
         until [ -s "$0" ]; do sleep 0.02; done; echo ready; wait`,
        join(folder, 'grandchild'),
      ),
    )
    const pid = await pidIn('grandchild')
    expect(isRunning(pid)).toBe(true)
    await cancel(id, 5)
    expect((await given.end(id)).status).toBe('CANCELLED')
    expect(isRunning(pid)).toBe(false)
  })

  test('again with no grace ends at once what was given a long one', async () => {
    const id = await ready(await bash(`trap '' TERM; echo ready; while :; do sleep 0.02; done`))
    expect(await cancel(id, 3600)).toMatchObject({ status: 'CANCELLING', canCancel: false })
    expect(await cancel(id, 0)).toMatchObject({ __typename: 'Run' })
    expect((await given.end(id)).status).toBe('CANCELLED')
  })

  test('a run that is over is refused and changes nothing', async () => {
    const id = await bash('exit 0')
    const over = await given.end(id)
    expect(await cancel(id)).toMatchObject({ __typename: 'ConflictError', code: 'CONFLICT' })
    expect(await given.state(id)).toEqual(over)
  })

  test.each([
    ['of a run that does not exist', { runId: 'run_01h455vb4pex5vsknk084sn02q' }, 'NotFoundError'],
    ['with a negative grace', { runId: '', graceSeconds: -1 }, 'ValidationError'],
  ])('%s is an error', async (_, { runId, graceSeconds }: { runId: string; graceSeconds?: number }, type) => {
    expect(await cancel(runId, graceSeconds)).toMatchObject({ __typename: type })
  })

  test('keeps the checkpoint that is saved within the grace', async () => {
    const id = await ready(
      await bash(`
        trap 'mkdir "$TRAINYARD_OUTPUT_DIR/checkpoint-42"; sleep 0.2; echo w > "$TRAINYARD_OUTPUT_DIR/checkpoint-42/model.bin"; exit 143' TERM
        echo ready; while :; do sleep 0.02; done`),
    )
    await cancel(id, 20)
    const run = await given.end(id)
    expect(run).toMatchObject({ status: 'CANCELLED', exitCode: 143, canResume: true })
    expect(artifactNames(run)).toEqual(['checkpoint-42'])
  })

  test('keeps no file that was being written when it was killed', async () => {
    const id = await ready(
      await bash(`
        trap '' TERM
        mkdir "$TRAINYARD_OUTPUT_DIR/checkpoint-1" "$TRAINYARD_OUTPUT_DIR/checkpoint-2"
        echo whole > "$TRAINYARD_OUTPUT_DIR/checkpoint-1/model.bin"
        exec 3> "$TRAINYARD_OUTPUT_DIR/checkpoint-2/model.bin"; echo half >&3
        echo ready; while :; do sleep 0.02; done`),
    )
    await cancel(id, 0.2)
    const run = await given.end(id)
    expect(artifactNames(run)).toEqual(['checkpoint-1'])
    const warnings = (await given.log(id)).filter((line) => line.source === 'SYSTEM')
    expect(warnings.some((line) => line.message.includes('checkpoint-2/model.bin'))).toBe(true)
  })
})

test.concurrent('a process that a script leaves behind does not outlive its run', async () => {
  const id = await bash(`setsid sleep 3600 & echo $! > "$0"; exit 0`, join(folder, 'left-behind'))
  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
  expect(isRunning(await pidIn('left-behind'))).toBe(false)
})

test.concurrent('a run whose folder is gone is lost with a reason, not started again', async () => {
  const file = join(folder, 'started')
  const id = await ready(
    await bash(`echo started >> "$0"; echo ready; until [ -e "$0-end" ]; do sleep 0.02; done`, file),
  )
  // The supervisor may be writing there.
  await rm(join(app.dataDir, 'runs', id), { recursive: true, maxRetries: 20, retryDelay: 10 })
  await writeFile(`${file}-end`, '')
  const run = await given.end(id)
  expect(run.status).toBe('LOST')
  expect(run.statusReason).toContain('gone')
  expect(await readFile(file, 'utf8')).toBe('started\n')
})

async function pidIn(name: string): Promise<number> {
  const file = join(folder, name)
  await until(`${name} to appear`, () => existsSync(file))
  return Number(await readFile(file, 'utf8'))
}
