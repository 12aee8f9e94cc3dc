import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import {
  CancelRunsDocument,
  type StartRunInput,
  StartRunsDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { expected, givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
/** An editor of `ours`, who sees `theirs` and may not work in it. */
let editor: Person
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 2 })
  given = seed(app.api)
  editor = await givenPerson(app, 'MEMBER', 'an-editor')
  for (const name of ['ours', 'theirs'])
    await given.project({ name, command: ['sleep', '60'], visibility: 'TEAM' })
  await app.api.send(
    'mutation { setProjectMember(input: { project: "ours", user: "an-editor", role: EDITOR }) { __typename } }',
  )
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const started = async (runs: StartRunInput[]) => {
  const { startRuns } = await app.api.send(StartRunsDocument, { input: { runs } })
  return expected(startRuns, 'RunBatch').results
}

const idsOf = (results: ({ __typename: string; id?: string } | null)[]) =>
  results.map((result) => result?.id ?? '')

describe('many runs are started', () => {
  test('each judged by itself, in the order of the input', async () => {
    const results = await started([
      { project: 'ours', name: 'first' },
      { project: 'nothing' },
      { project: 'theirs', priority: 1000 },
      { project: 'theirs' },
      { project: 'ours', name: 'first' },
    ])

    expect(results.map((result) => result?.__typename)).toEqual([
      'Run',
      'NotFoundError',
      'ValidationError',
      'Run',
      'ConflictError',
    ])
  })

  test('and what is forbidden is told at its place, and takes nothing else with it', async () => {
    const { data, errors } = await editor.api.ask(StartRunsDocument, {
      input: { runs: [{ project: 'theirs' }, { project: 'ours' }] },
    })

    const batch = data && expected(data.startRuns, 'RunBatch')
    expect(batch?.results).toMatchObject([null, { __typename: 'Run' }])
    expect(errors).toMatchObject([{ path: ['startRuns', 'results', 0], extensions: { code: 'FORBIDDEN' } }])
  })

  test.each([0, 101])('but not %d', async (count) => {
    const runs = Array.from({ length: count }, () => ({ project: 'ours' }))

    const { startRuns } = await app.api.send(StartRunsDocument, { input: { runs } })

    expect(startRuns).toMatchObject({ __typename: 'ValidationError' })
  })
})

describe('many runs are cancelled', () => {
  test('by their ids, each judged by itself', async () => {
    const ids = idsOf(await started([{ project: 'ours' }, { project: 'theirs' }]))

    const { cancelRuns } = await app.api.send(CancelRunsDocument, {
      input: { runIds: [...ids, 'run_00000000000000000000000000'], graceSeconds: 0 },
    })

    const { results } = expected(cancelRuns, 'RunCancellation')
    expect(results.map((result) => result?.__typename)).toEqual(['Run', 'Run', 'NotFoundError'])
    for (const id of ids) expect((await given.end(id)).status).toBe('CANCELLED')
  })

  test('of a project, and of no other', async () => {
    const ids = idsOf(await started([{ project: 'theirs' }, { project: 'ours' }, { project: 'theirs' }]))
    const [first = '', other = '', second = ''] = ids

    const { cancelRuns } = await app.api.send(CancelRunsDocument, {
      input: { project: 'theirs', graceSeconds: 0 },
    })

    const { results, remaining } = expected(cancelRuns, 'RunCancellation')
    expect(remaining).toBe(0)
    expect(idsOf(results)).toEqual(expect.arrayContaining([first, second]))
    expect(idsOf(results)).not.toContain(other)
    for (const id of [first, second]) expect((await given.end(id)).status).toBe('CANCELLED')
    expect((await given.state(other)).canCancel).toBe(true)
  })

  test('on a node, as far as one may', async () => {
    await endRuns(app.api)
    const [theirs = '', ours = ''] = idsOf(await started([{ project: 'theirs' }, { project: 'ours' }]))
    for (const id of [theirs, ours]) await given.when(id, 'running', (run) => run.status === 'RUNNING')

    const { cancelRuns } = await editor.api.send(CancelRunsDocument, {
      input: { computeNode: OWN_NODE_ID, graceSeconds: 0 },
    })

    expect(idsOf(expected(cancelRuns, 'RunCancellation').results)).toEqual([ours])
    expect((await given.end(ours)).status).toBe('CANCELLED')
    expect((await given.state(theirs)).status).toBe('RUNNING')
  })

  test.each([{}, { runIds: [] }, { runIds: ['a'], project: 'ours' }])('but not by %j', async (input) => {
    const { cancelRuns } = await app.api.send(CancelRunsDocument, { input })

    expect(cancelRuns).toMatchObject({ __typename: 'ValidationError' })
  })

  test('but not everywhere for an empty name', async () => {
    const { cancelRuns } = await app.api.send(CancelRunsDocument, { input: { project: '' } })

    expect(cancelRuns).toMatchObject({ __typename: 'NotFoundError' })
  })
})
