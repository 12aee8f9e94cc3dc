import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import {
  AuditTrailDocument,
  type ComputeNodeOperationKind,
  OperateComputeNodeDocument,
  PlacedRunDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { expected } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { storeNode } from '../../support/stored-nodes.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from '../deployments/support/deployments.ts'

let app: TestApp
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  app = await startTestApp({
    maxConcurrentRuns: 2,
    modelRoots: [folder],
    deploymentPorts: { first: 18_850, last: 18_879 },
  })
  given = seed(app.api)
  await givenEngine(app.api, folder)
})
afterEach(async () => {
  await operate('START')
  await endRuns(app.api)
})
afterAll(async () => {
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

async function operate(operation: ComputeNodeOperationKind, graceSeconds?: number) {
  const { operateComputeNode } = await app.api.send(OperateComputeNodeDocument, {
    input: { computeNodeId: OWN_NODE_ID, operation, graceSeconds },
  })
  return expected(operateComputeNode, 'ComputeNodeOperation')
}

async function placed(id: string) {
  const { run } = await app.api.send(PlacedRunDocument, { id })
  if (!run) throw new Error(`There is no run ${id}`)
  return run
}

/** A run that goes on until it is ended. */
async function runningRun(command = ['sleep', '60']): Promise<string> {
  const id = await given.run({ project: await given.project({ command }) })
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  return id
}

/** The outcomes by the ids of runs. */
const outcomes = ({ runs }: Awaited<ReturnType<typeof operate>>) =>
  Object.fromEntries(runs.map(({ run, outcome }) => [run?.id, outcome]))

test('a node that is drained goes on with what it has, takes nothing new, and does again when it is started', async () => {
  const id = await runningRun()

  const drained = await operate('DRAIN')

  expect(drained.computeNode).toMatchObject({ status: 'DRAINING' })
  expect(outcomes(drained)).toEqual({ [id]: 'UNTOUCHED' })
  const waits = await given.run({ project: await given.project({ command: ['true'] }) })
  await until('the reason', async () => (await placed(waits)).statusReason?.endsWith(' is DRAINING.'))
  expect((await given.state(id)).status).toBe('RUNNING')

  expect((await operate('START')).computeNode).toMatchObject({ status: 'ONLINE' })
  expect((await given.end(waits)).status).toBe('SUCCEEDED')
})

test('a node that is stopped ends what it has, and leaves what waits', async () => {
  const deployments = givenDeployments(app.api)
  const { id: deploymentId } = await deployments.running()
  const id = await runningRun()
  const other = await runningRun()
  const waits = await given.run({ project: await given.project({ command: ['true'] }) })

  const stopped = await operate('STOP', 20)

  expect(stopped.computeNode).toMatchObject({ status: 'STOPPED' })
  expect(outcomes(stopped)).toEqual({ [id]: 'CANCELLING', [other]: 'CANCELLING' })
  expect(stopped.deployments).toMatchObject([{ deployment: { id: deploymentId }, outcome: 'STOPPING' }])
  for (const ended of [id, other]) expect((await given.end(ended)).status).toBe('CANCELLED')
  await deployments.reaches(deploymentId, 'STOPPED')
  await until('the reason', async () => (await placed(waits)).statusReason?.endsWith(' is STOPPED.'))
  await deployments.delete(deploymentId)
})

test('a node that is restarted goes on with runs from their newest checkpoints, and begins the others anew', async () => {
  const deployments = givenDeployments(app.api)
  const { id: deploymentId } = await deployments.running()
  const savesAtTheEnd = `
    trap 'mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-2" && echo 2 > "$TRAINYARD_OUTPUT_DIR/checkpoint-2/w.bin"; exit 1' TERM
    echo "goes on from $TRAINYARD_RESUME_FROM"
    while :; do sleep 0.02; done`
  const saving = await runningRun(['bash', '-c', savesAtTheEnd])
  const other = await runningRun()

  const restarted = await operate('RESTART', 20)

  expect(restarted.computeNode).toMatchObject({ status: 'ONLINE' })
  expect(outcomes(restarted)).toEqual({ [saving]: 'RESUMED', [other]: 'STARTED_ANEW' })
  for (const { run } of restarted.runs) expect(run?.status).toBe('CANCELLED')
  const [resumed = '', anew = ''] = restarted.runs.map(({ successor }) => successor?.id ?? '')
  for (const id of [resumed, anew]) await given.when(id, 'running', ({ status }) => status === 'RUNNING')
  await until('what it goes on from', async () =>
    (await given.log(resumed)).some(({ message }) => /goes on from .*checkpoint-2$/.test(message)),
  )
  expect((await placed(anew)).resumedFrom).toBeNull()
  expect(restarted.deployments).toMatchObject([{ deployment: { id: deploymentId }, outcome: 'RESTARTED' }])
  await deployments.reaches(deploymentId, 'RUNNING')
  await deployments.delete(deploymentId)
})

test('a run that was being cancelled is not started again', async () => {
  const file = join(folder, 'may-end')
  const stubborn = `trap '' TERM; until [ -e "$0" ]; do sleep 0.02; done`
  const id = await runningRun(['bash', '-c', stubborn, file])
  await given.cancel(id, 60)

  const restarted = await operate('RESTART', 20)

  expect(restarted.runs).toMatchObject([{ run: { id }, outcome: 'CANCELLING', successor: null }])
  await writeFile(file, '')
  await given.end(id)
})

test('what is done to a node is written down', async () => {
  await operate('DRAIN')

  const { auditEvents } = await app.api.send(AuditTrailDocument, { first: 1 })

  expect(auditEvents.edges[0]?.node).toMatchObject({
    action: 'COMPUTE_NODE_OPERATED',
    targetId: OWN_NODE_ID,
    details: { operation: 'DRAIN' },
  })
})

test('a node that is not heard of can be stopped, and not restarted', async () => {
  const computeNodeId = await storeNode(app.dataDir, { name: 'away', isOnline: false })
  const send = async (operation: ComputeNodeOperationKind, graceSeconds?: number) => {
    const input = { computeNodeId, operation, graceSeconds }
    return (await app.api.send(OperateComputeNodeDocument, { input })).operateComputeNode
  }

  expect(await send('STOP')).toMatchObject({ computeNode: { status: 'OFFLINE' }, runs: [] })
  expect(await send('RESTART')).toMatchObject({ __typename: 'ConflictError' })
  expect(await send('RESTART', 601)).toMatchObject({ __typename: 'ValidationError' })
})
