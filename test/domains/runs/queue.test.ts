import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunTryCancelDocument, RunUpdatedDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 1 })
  given = seed(app.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A project whose runs go on until the file appears. */
const untilFile = (file: string) =>
  given.project({ command: ['bash', '-c', 'until [ -e "$0" ]; do sleep 0.02; done', file] })

test('runs wait for their place and get it in the order in which they were started', async () => {
  const end = join(folder, 'queue-may-move')
  const project = await untilFile(end)
  const order: string[] = []
  const ids: string[] = []
  for (const _ of [1, 2, 3, 4]) {
    const id = await given.run({ project })
    ids.push(id)
    void (async () => {
      for await (const { runUpdated } of app.api.watch(RunUpdatedDocument, { runId: id })) {
        if (runUpdated.status === 'RUNNING' && !order.includes(id)) order.push(id)
      }
    })()
  }
  const [first = '', second = '', third = '', fourth = ''] = ids
  await given.when(first, 'running', (run) => run.status === 'RUNNING')
  for (const waiting of [second, third, fourth]) {
    expect(await given.state(waiting)).toMatchObject({
      status: 'QUEUED',
      startedAt: null,
      canCancel: true,
      canResume: false,
    })
  }

  const { cancelRun } = await app.api.send(RunTryCancelDocument, { input: { runId: third } })
  expect(cancelRun).toMatchObject({ status: 'CANCELLED', canCancel: false, canResume: false })
  expect(await given.state(third)).toMatchObject({
    statusReason: 'Cancelled before it was started.',
    startedAt: null,
    exitCode: null,
  })
  expect((await given.state(first)).status).toBe('RUNNING')

  await writeFile(end, '')
  for (const id of [first, second, fourth]) expect((await given.end(id)).status).toBe('SUCCEEDED')
  const [a, b, c] = await Promise.all([first, second, fourth].map(given.state))
  expect(Date.parse(b?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(a?.finishedAt ?? ''))
  expect(Date.parse(c?.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(b?.finishedAt ?? ''))
})

test('canCancel and canResume say in every state what would work', async () => {
  const script = `
    trap 'sleep 0.4; exit 1' TERM
    mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-1"; echo 1 > "$TRAINYARD_OUTPUT_DIR/checkpoint-1/w.bin"
    while :; do sleep 0.02; done`
  const project = await given.project({ command: ['bash', '-c', script] })
  const id = await given.run({ project })
  const running = await given.when(id, 'with a checkpoint', (run) => run.artifacts.totalCount > 0)
  expect(running).toMatchObject({ status: 'RUNNING', canCancel: true, canResume: false })

  const { cancelRun } = await app.api.send(RunTryCancelDocument, { input: { runId: id } })
  expect(cancelRun).toMatchObject({ status: 'CANCELLING', canCancel: false, canResume: false })
  expect(await given.end(id)).toMatchObject({ status: 'CANCELLED', canCancel: false, canResume: true })
})

test('a cancelled run that is not started yet gives its place away at once', async () => {
  const end = join(folder, 'place-may-be-left')
  const project = await untilFile(end)
  const [first, second] = [await given.run({ project }), await given.run({ project })]
  await given.cancel(first, 0)
  expect((await given.end(first)).status).toBe('CANCELLED')
  await given.when(second, 'running', (run) => run.status === 'RUNNING')
  await writeFile(end, '')
  expect((await given.end(second)).status).toBe('SUCCEEDED')
})
