import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../../src/domains/compute-nodes/own-node.ts'
import {
  PlacedRunDocument,
  PlacedRunUpdatedDocument,
  RunTryStartDocument,
  type StartRunInput,
  UpdateComputeNodeDocument,
} from '../../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../../support/app.ts'
import { endRuns } from '../../../support/end-runs.ts'
import { givenPerson } from '../../../support/people.ts'
import { seed } from '../../../support/seed.ts'
import { storeNode, storeOwnHardware } from '../../../support/stored-nodes.ts'
import { until } from '../../../support/until.ts'

const GIB = 1024 ** 3
const OWN = 'own'

let app: TestApp
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 2 })
  given = seed(app.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  await app.api.send(UpdateComputeNodeDocument, { input: { computeNodeId: OWN_NODE_ID, name: OWN } })
})
beforeEach(() => endRuns(app.api))
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A project whose runs tell which GPUs they see, and go on until the file appears. */
const untilFile = (file: string) =>
  given.project({
    command: [
      'bash',
      '-c',
      'echo "sees $CUDA_VISIBLE_DEVICES"; until [ -e "$0" ]; do sleep 0.02; done',
      join(folder, file),
    ],
  })

async function placed(id: string, on: TestApp = app) {
  const { run } = await on.api.send(PlacedRunDocument, { id })
  if (!run) throw new Error(`There is no run ${id}`)
  return run
}

/** What a run waits for, once that is said. */
const reason = (id: string, on: TestApp = app) =>
  until('the run to wait', async () => {
    const { status, statusReason } = await placed(id, on)
    return status === 'QUEUED' && statusReason
  })

const setLabels = async (labels: { name: string; value: string }[]) => {
  await app.api.send(UpdateComputeNodeDocument, { input: { computeNodeId: OWN_NODE_ID, labels } })
}

/** Saves a checkpoint and goes on. */
const SAVES = [
  'bash',
  '-c',
  'mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-1"; echo 1 > "$TRAINYARD_OUTPUT_DIR/checkpoint-1/w.bin"; exec sleep 60',
]

/** A run of such a project that was cancelled and can be resumed. */
async function cancelledRun(input: StartRunInput): Promise<string> {
  const id = await given.run(input)
  await given.when(id, 'with a checkpoint', (run) => run.artifacts.totalCount > 0)
  await given.cancel(id, 0)
  await given.end(id)
  return id
}

describe('a run', () => {
  test('waits for a label, says so to who watches, and starts when a node gets it', async () => {
    const project = await untilFile('labelled')
    await writeFile(join(folder, 'labelled'), '')
    const id = await given.run({ project, placement: { labels: [{ name: 'zone', value: 'eu' }] } })
    const seen: string[] = []
    const watching = (async () => {
      for await (const { runUpdated } of app.api.watch(PlacedRunUpdatedDocument, { runId: id })) {
        const { status, statusReason, computeNode } = runUpdated
        seen.push([status, statusReason, computeNode?.name].filter(Boolean).join(' '))
      }
    })()
    await until('the reason', () => seen.includes('QUEUED No node has the label zone=eu.'))

    await setLabels([{ name: 'zone', value: 'eu' }])

    expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', statusReason: null })
    await watching
    expect(seen.at(-1)).toBe('SUCCEEDED own')
    expect(seen.filter((state) => state.startsWith('QUEUED No node'))).toHaveLength(1)
    expect(await placed(id)).toMatchObject({
      computeNode: { id: OWN_NODE_ID },
      placement: { node: null, labels: [{ name: 'zone', value: 'eu' }], gpuCount: null },
    })
    await setLabels([])
  })

  test('has its GPUs for itself, and gives them back when it is over', async () => {
    await storeOwnHardware(app.dataDir, {
      gpus: [0, 1].map((index) => ({ index, name: 'NVIDIA A100-SXM4-80GB' })),
    })
    const both = await untilFile('both-may-end')
    const one = await untilFile('one-may-end')
    const first = await given.run({ project: both, resources: { gpus: 2, gpuType: 'a100', note: 'kept' } })
    await given.when(first, 'running', (run) => run.status === 'RUNNING')
    const second = await given.run({ project: one, resources: { gpuCount: 1 } })
    expect(await reason(second)).toBe('Waits for 1 free GPU: own has 0 of 2 free.')
    expect(await placed(first)).toMatchObject({
      gpuIds: [0, 1],
      placement: { gpuCount: 2, gpuType: 'a100' },
    })

    await writeFile(join(folder, 'both-may-end'), '')
    await given.end(first)
    await given.when(second, 'running', (run) => run.status === 'RUNNING')

    expect((await placed(first)).gpuIds).toEqual([])
    expect((await placed(second)).gpuIds).toEqual([0])
    await given.cancel(second, 0)
    await given.end(second)
    expect((await placed(second)).gpuIds).toEqual([])
    const messages = async (id: string) => (await given.log(id)).map(({ message }) => message)
    expect(await messages(first)).toContain('sees 0,1')
    expect(await messages(second)).toContain('sees 0')
    await storeOwnHardware(app.dataDir, {})
  })

  test('gets no more memory than there is', async () => {
    await storeOwnHardware(app.dataDir, { memoryTotalBytes: 16 * GIB })
    const project = await untilFile('memory')
    const [first, second] = [
      await given.run({ project, resources: { memoryGiB: 10 } }),
      await given.run({ project, resources: { memoryBytes: 8 * GIB } }),
    ]
    await given.when(first, 'running', (run) => run.status === 'RUNNING')

    expect(await reason(second)).toBe('Waits for 8.0 GiB of free memory: own has 6.0 of 16.0 GiB left.')
    const never = await given.run({ project, resources: { memoryGiB: 64 } })
    expect(await reason(never)).toBe(
      'No node that it may run on has 64.0 GiB of memory: own has 16.0 GiB of memory.',
    )
    await writeFile(join(folder, 'memory'), '')
    await given.end(second)
    await storeOwnHardware(app.dataDir, {})
  })
})

test('a run is given to the node that it names, and to another one when the own machine is full', async () => {
  // Nobody speaks for that node, so what is given to it stays there: a server of its own.
  const server = await startTestApp({ maxConcurrentRuns: 1 })
  const start = seed(server.api)
  const far = await storeNode(server.dataDir, { name: 'far', maxRuns: 2, labels: { zone: 'us' } })
  const project = await start.project({ command: ['sleep', '60'] })
  const nodeOf = (id: string) =>
    until('its place', async () => (await placed(id, server)).computeNode?.name ?? null)

  const named = await start.run({ project, placement: { node: 'far' } })
  expect(await nodeOf(named)).toBe('far')
  const own = await start.run({ project })
  expect(await nodeOf(own)).not.toBe('far')
  const further = await start.run({ project })
  expect(await nodeOf(further)).toBe('far')
  const last = await start.run({ project, placement: { node: far } })
  expect(await reason(last, server)).toBe('Waits for a place: far runs 2 of 2.')

  await start.cancel(own, 0)
  await start.end(own)
  await server.stop()
})

describe('the order', () => {
  test('is by priority, and an owner says who comes first', async () => {
    const project = await untilFile('first-may-end')
    const holding = [await given.run({ project }), await given.run({ project })]
    for (const id of holding) await given.when(id, 'running', (run) => run.status === 'RUNNING')
    const waits = await untilFile('never')
    const [low, normal, high] = [
      await given.run({ project: waits, priority: -1 }),
      await given.run({ project: waits }),
      await given.run({ project: waits, priority: 5 }),
    ]
    await reason(high)

    await given.cancel(holding[0] ?? '', 0)

    await given.when(high, 'running', (run) => run.status === 'RUNNING')
    expect((await placed(normal)).status).toBe('QUEUED')
    await given.cancel(high, 0)
    await given.when(normal, 'running', (run) => run.status === 'RUNNING')
    expect((await placed(low)).status).toBe('QUEUED')
  })

  test('is not for editors to change to their advantage', async () => {
    const project = await given.project({ command: SAVES })
    const editor = await givenPerson(app, 'MEMBER', 'an-editor')
    await app.api.send(
      `mutation { setProjectMember(input: { project: "${project}", user: "an-editor", role: EDITOR }) { __typename } }`,
    )
    const start = (input: Omit<StartRunInput, 'project'>) =>
      editor.api.ask(RunTryStartDocument, { input: { project, ...input } })

    expect((await start({ priority: 1 })).errors?.[0]?.extensions?.code).toBe('FORBIDDEN')
    expect((await start({ priority: -1 })).data?.startRun).toMatchObject({ __typename: 'Run' })
    const high = await cancelledRun({ project, priority: 9 })
    const resumed = await seed(editor.api).resume({ runId: high })
    expect(await placed(resumed)).toMatchObject({ priority: 0 })
  })
})

test('a run that is resumed asks for what the one before asked for, unless told otherwise', async () => {
  const project = await given.project({ command: SAVES })
  await setLabels([{ name: 'zone', value: 'eu' }])
  const before = await cancelledRun({
    project,
    priority: 3,
    resources: { memoryBytes: 0 },
    placement: { node: OWN, labels: [{ name: 'zone', value: 'eu' }] },
  })

  const same = await given.resume({ runId: before })
  const other = await given.resume({ runId: before, placement: {}, priority: 0 })

  expect(await placed(same)).toMatchObject({
    priority: 3,
    placement: { node: { name: OWN }, labels: [{ name: 'zone', value: 'eu' }] },
  })
  expect(await placed(other)).toMatchObject({ priority: 0, placement: { node: null, labels: [] } })
  await setLabels([])
})

describe('a wish that makes no sense', () => {
  test.each<[Omit<StartRunInput, 'project'>, string]>([
    [{ resources: { gpuCount: -1 } }, 'resources.gpuCount'],
    [{ resources: { gpus: '2' } }, 'resources.gpus'],
    [{ resources: { gpus: 2, gpuCount: 1 } }, 'resources.gpus'],
    [{ resources: { gpuType: '' } }, 'resources.gpuType'],
    [{ resources: { gpuType: 'A100', gpuCount: 0 } }, 'resources.gpuType'],
    [{ resources: { memoryBytes: 1.5 } }, 'resources.memoryBytes'],
    [{ resources: { memoryGiB: -1 } }, 'resources.memoryGiB'],
    [{ priority: 101 }, 'priority'],
    [
      {
        placement: {
          labels: [
            { name: 'a', value: '1' },
            { name: 'a', value: '2' },
          ],
        },
      },
      'placement.labels',
    ],
  ])('%j is refused', async (input, path) => {
    const project = await given.project({ command: ['true'] })

    const { startRun } = await app.api.send(RunTryStartDocument, { input: { project, ...input } })

    expect(startRun).toMatchObject({ __typename: 'ValidationError', issues: [{ path: path.split('.') }] })
  })

  test('a node that does not exist is not found', async () => {
    const project = await given.project({ command: ['true'] })

    const { startRun } = await app.api.send(RunTryStartDocument, {
      input: { project, placement: { node: 'nowhere' } },
    })

    expect(startRun).toMatchObject({
      __typename: 'NotFoundError',
      message: 'There is no compute node "nowhere".',
    })
  })
})
