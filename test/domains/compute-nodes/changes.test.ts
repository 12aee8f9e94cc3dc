import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import {
  DeleteComputeNodeDocument,
  NodeRunsDocument,
  UpdateComputeNodeDocument,
  type UpdateComputeNodeInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { storeNode } from '../../support/stored-nodes.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 4 })
  given = seed(app.api)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const update = async (input: UpdateComputeNodeInput) =>
  (await app.api.send(UpdateComputeNodeDocument, { input })).updateComputeNode

const remove = async (computeNodeId: string) =>
  (await app.api.send(DeleteComputeNodeDocument, { input: { computeNodeId } })).deleteComputeNode

describe('a node', () => {
  test('is changed in what is given, and told to who watches', async () => {
    const computeNodeId = await storeNode(app.dataDir, { name: 'changed', labels: { zone: 'eu' } })
    const seen: string[] = []
    const watching = app.api.watch<{ computeNodeUpdated: { name: string } }, object>(
      'subscription ($computeNodeId: ID) { computeNodeUpdated(computeNodeId: $computeNodeId) { name } }',
      { computeNodeId },
    )
    void (async () => {
      for await (const { computeNodeUpdated } of watching) seen.push(computeNodeUpdated.name)
    })()
    await until('the present name', () => seen.includes('changed'))

    const changed = await update({
      computeNodeId,
      name: 'renamed',
      type: 'EDGE',
      maxRuns: 3,
      location: 'attic',
    })

    expect(changed).toMatchObject({
      name: 'renamed',
      type: 'EDGE',
      maxRuns: 3,
      location: 'attic',
      labels: [{ name: 'zone', value: 'eu' }],
    })
    await until('the new name', () => seen.includes('renamed'))
    expect(
      await update({
        computeNodeId,
        location: null,
        address: '10.0.0.7',
        labels: [{ name: 'disk', value: 'ssd' }],
      }),
    ).toMatchObject({
      name: 'renamed',
      location: null,
      address: '10.0.0.7',
      labels: [{ name: 'disk', value: 'ssd' }],
    })
    await watching.return?.()
  })

  test.each<[Omit<UpdateComputeNodeInput, 'computeNodeId'>, string]>([
    [{ name: '' }, 'ValidationError'],
    [{ name: OWN_NODE_ID }, 'ValidationError'],
    [{ maxRuns: -1 }, 'ValidationError'],
    [{ address: 'http://a/b' }, 'ValidationError'],
    [{ name: 'taken' }, 'ConflictError'],
  ])('is not changed to %j', async (input, type) => {
    await storeNode(app.dataDir, { name: 'taken' }).catch(() => undefined)
    const computeNodeId = await storeNode(app.dataDir, { name: JSON.stringify(input).slice(0, 100) })

    expect(await update({ computeNodeId, ...input })).toMatchObject({ __typename: type })
  })

  test('that is the server’s own has its places from the settings', async () => {
    expect(await update({ computeNodeId: OWN_NODE_ID, maxRuns: 9 })).toMatchObject({
      __typename: 'ValidationError',
    })
    expect(await update({ computeNodeId: OWN_NODE_ID, location: 'here' })).toMatchObject({ location: 'here' })
  })
})

describe('the deletion', () => {
  test('of a node that is gone takes all of it, and it is not found any more', async () => {
    const id = await storeNode(app.dataDir, { name: 'gone', isOnline: false, labels: { zone: 'eu' } })

    expect(await remove(id)).toMatchObject({ __typename: 'ComputeNode', id })
    expect(await remove(id)).toMatchObject({ __typename: 'NotFoundError' })
    expect((await app.api.send(NodeRunsDocument, { id })).computeNode).toBeNull()
  })

  test('is refused for the own machine, and while a node is heard of or waited for', async () => {
    const online = await storeNode(app.dataDir, { name: 'online' })
    const wanted = await storeNode(app.dataDir, { name: 'wanted', isOnline: false })
    const project = await given.project({ command: ['true'] })
    const waits = await given.run({ project, placement: { node: 'wanted' } })

    for (const id of [OWN_NODE_ID, online, wanted]) {
      expect(await remove(id)).toMatchObject({ __typename: 'ConflictError' })
    }
    await given.cancel(waits)
    expect(await remove(wanted)).toMatchObject({ __typename: 'ComputeNode' })
    expect((await given.state(waits)).status).toBe('CANCELLED')
  })
})

test('the runs of a node are those that one may see', async () => {
  const stranger = await givenPerson(app, 'MEMBER', 'a-stranger')
  const [hidden, shown] = [
    await given.run({ project: await given.project({ command: ['true'] }) }),
    await given.run({ project: await given.project({ command: ['true'], visibility: 'TEAM' }) }),
  ]
  for (const id of [hidden, shown]) await given.end(id)
  const runsFor = async (api: typeof app.api) => {
    const { computeNode } = await api.send(NodeRunsDocument, { id: OWN_NODE_ID })
    return {
      ids: computeNode?.runs.edges.map(({ node }) => node.id),
      totalCount: computeNode?.runs.totalCount,
    }
  }

  expect(await runsFor(app.api)).toEqual({ ids: [shown, hidden], totalCount: 2 })
  expect(await runsFor(stranger.api)).toEqual({ ids: [shown], totalCount: 1 })
})
