import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { type RunState, seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20, artifactQuietMs: 100 })
  given = seed(app.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

const bash = async (script: string, ...args: string[]) =>
  given.run({
    project: await given.project({
      command: ['bash', '-c', `cd "$TRAINYARD_OUTPUT_DIR"; ${script}`, ...args],
    }),
  })
const artifactsOf = (run: RunState) => run.artifacts.edges.map((edge) => edge.node)
const namesOf = (run: RunState) =>
  artifactsOf(run)
    .map((artifact) => artifact.name)
    .sort()

test.concurrent('checkpoints that a script deletes to keep the newest are artifacts no more', async () => {
  const more = join(folder, 'may-save-more')
  const id = await bash(
    `mkdir checkpoint-1; echo 1 > checkpoint-1/w.bin; until [ -e "$0" ]; do sleep 0.02; done
     mkdir checkpoint-2; echo 2 > checkpoint-2/w.bin; rm -r checkpoint-1; sleep 3600`,
    more,
  )
  await given.when(id, 'with its first checkpoint', (run) => namesOf(run).join() === 'checkpoint-1')
  await writeFile(more, '')
  await given.when(id, 'with its second checkpoint only', (run) => namesOf(run).join() === 'checkpoint-2')
  await given.cancel(id, 0)
  expect(namesOf(await given.end(id))).toEqual(['checkpoint-2'])
})

test.concurrent('a checkpoint stays an artifact when its script fills the folder with more than is looked at', async () => {
  const more = join(folder, 'may-fill')
  const id = await bash(
    `mkdir checkpoint-1; echo 1 > checkpoint-1/w.bin; until [ -e "$0" ]; do sleep 0.02; done
     mkdir a; touch a/.{1..10001}; echo filled; sleep 1.5`,
    more,
  )
  await given.when(id, 'with its checkpoint', (run) => run.artifacts.totalCount === 1)
  await writeFile(more, '')
  await until('the folder to be full', async () => (await given.log(id)).length > 0)
  const run = await given.end(id)
  expect([run.status, namesOf(run), run.canResume]).toEqual(['SUCCEEDED', ['checkpoint-1'], true])
})

test.concurrent('a file that is written again is the same artifact with its new content', async () => {
  const more = join(folder, 'may-write-again')
  const id = await bash(
    `echo one > results.json; until [ -e "$0" ]; do sleep 0.02; done; echo three > results.json`,
    more,
  )
  const before = await given.when(id, 'with its results', (run) => run.artifacts.totalCount === 1)
  await writeFile(more, '')
  const after = await given.end(id)
  expect(namesOf(after)).toEqual(['results.json'])
  expect(artifactsOf(after)[0]).toMatchObject({ id: artifactsOf(before)[0]?.id, sizeBytes: 6 })
  expect(artifactsOf(after)[0]?.sha256).not.toBe(artifactsOf(before)[0]?.sha256)
})
