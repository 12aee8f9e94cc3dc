import { describe, expect, test } from 'vitest'
import type { PlacementNode } from '../../../../src/domains/runs/placement/fit.ts'
import { planPlacements, type WaitingRun } from '../../../../src/domains/runs/placement/plan.ts'
import type { RunWishes } from '../../../../src/domains/runs/placement/wishes.ts'

const GIB = 1024 ** 3

/** The server's own machine, unless said otherwise, with one free place. */
function node(name: string, fields: Partial<PlacementNode> & { free?: number; gpuNames?: string[] } = {}) {
  const { free, gpuNames = [], ...rest } = fields
  const gpus = gpuNames.map((gpuName, index) => ({
    index,
    name: gpuName,
    isFree: index < (free ?? gpuNames.length),
  }))
  const isOwn = name === 'own'
  const base = { id: name, name, isOwn, status: 'ONLINE' as const, labels: {}, maxRuns: 1, runs: 0 }
  return { ...base, memoryBytes: null, reservedBytes: 0, gpus, ...rest }
}

/** A run; those that come later in the alphabet came later. */
function run(id: string, wishes: Partial<RunWishes> = {}, fields: Partial<WaitingRun> = {}): WaitingRun {
  const none = { nodeId: null, labels: {}, gpuCount: 0, gpuType: null, memoryBytes: 0 }
  return { id, projectId: 'project', priority: 0, ...fields, wishes: { ...none, ...wishes } }
}

const of = (projectId: string) => ({ projectId })
const prior = (priority: number) => ({ priority })

/** Who gets which place, as `run@node`, with its GPUs. */
function placed(nodes: PlacementNode[], queue: WaitingRun[], places: Record<string, number> = {}) {
  const { placements } = planPlacements({ nodes, queue, placesOf: new Map(Object.entries(places)) })
  return placements.map(({ runId, nodeId, gpus }) => [`${runId}@${nodeId}`, ...gpus].join(' '))
}

describe('who is next', () => {
  const one = [node('own')]
  const two = [node('own', { maxRuns: 2 })]

  test.each<[string, PlacementNode[], WaitingRun[], Record<string, number>, string[]]>([
    ['the one that waited longest', one, [run('b'), run('a')], {}, ['a@own']],
    ['a higher priority first', one, [run('a'), run('b', {}, prior(1))], {}, ['b@own']],
    ['a lower priority last', one, [run('a', {}, prior(-1)), run('b')], {}, ['b@own']],
    [
      'the project with fewer places',
      one,
      [run('a', {}, of('p')), run('b', {}, of('q'))],
      { p: 1 },
      ['b@own'],
    ],
    [
      'projects in turn',
      two,
      [run('a', {}, of('p')), run('b', {}, of('p')), run('c', {}, of('q'))],
      {},
      ['a@own', 'c@own'],
    ],
    [
      'the priority before fairness',
      one,
      [run('a', {}, of('q')), run('b', {}, { ...of('p'), ...prior(1) })],
      { p: 9 },
      ['b@own'],
    ],
    ['what fits before what does not', one, [run('a', { gpuCount: 1 }), run('b')], {}, ['b@own']],
    ['nobody without a place', [node('own', { runs: 1 })], [run('a')], {}, []],
  ])('%s', (_what, nodes, queue, places, expected) => {
    expect(placed(nodes, queue, places)).toEqual(expected)
  })
})

describe('where', () => {
  const a100 = 'NVIDIA A100-SXM4-80GB'
  const t4 = 'Tesla T4'

  test.each<[string, PlacementNode[], WaitingRun[], string[]]>([
    ['on the own machine first', [node('big', { maxRuns: 9 }), node('own')], [run('a')], ['a@own']],
    [
      'then where most places are free',
      [node('own', { runs: 1 }), node('n1', { maxRuns: 4, runs: 3 }), node('n2', { maxRuns: 3, runs: 1 })],
      [run('a'), run('b'), run('c')],
      ['a@n2', 'b@n1', 'c@n2'],
    ],
    ['on the node that is named', [node('own'), node('n1')], [run('a', { nodeId: 'n1' })], ['a@n1']],
    [
      'on a node that has all labels',
      [node('own', { labels: { zone: 'eu' } }), node('n1', { labels: { zone: 'eu', disk: 'ssd' } })],
      [run('a', { labels: { zone: 'eu', disk: 'ssd' } })],
      ['a@n1'],
    ],
    [
      'not on one whose label says something else',
      [node('own', { labels: { zone: 'us' } })],
      [run('a', { labels: { zone: 'eu' } })],
      [],
    ],
    [
      'with GPUs that are free',
      [node('own', { maxRuns: 3, gpuNames: [t4, t4, t4], free: 2 })],
      [run('a', { gpuCount: 1 }), run('b', { gpuCount: 1 }), run('c', { gpuCount: 1 })],
      ['a@own 0', 'b@own 1'],
    ],
    [
      'with GPUs of a type, in any case',
      [node('own', { gpuNames: [t4, a100] }), node('n1', { gpuNames: [a100, t4, a100] })],
      [run('a', { gpuCount: 2, gpuType: 'a100' })],
      ['a@n1 0 2'],
    ],
    [
      'with memory that is left',
      [node('own', { maxRuns: 3, memoryBytes: 16 * GIB, reservedBytes: 4 * GIB })],
      [
        run('a', { memoryBytes: 8 * GIB }),
        run('b', { memoryBytes: 8 * GIB }),
        run('c', { memoryBytes: 4 * GIB }),
      ],
      ['a@own', 'c@own'],
    ],
    ['not where the memory is unknown', [node('own')], [run('a', { memoryBytes: 1 })], []],
    [
      'not on a node that takes no work',
      [
        node('own', { status: 'STOPPED' }),
        node('n1', { status: 'DRAINING' }),
        node('n2', { status: 'OFFLINE' }),
      ],
      [run('a')],
      [],
    ],
  ])('%s', (_what, nodes, queue, expected) => {
    expect(placed(nodes, queue)).toEqual(expected)
  })

  test('leaves what it is given as it is', () => {
    const nodes = [node('own', { gpuNames: [t4] })]
    const before = structuredClone(nodes)

    placed(nodes, [run('a', { gpuCount: 1 })])

    expect(nodes).toEqual(before)
  })
})

describe('why it waits', () => {
  const gpus = (count: number, free: number) => ({ gpuNames: Array<string>(count).fill('NVIDIA A100'), free })

  test.each<[PlacementNode[], Partial<RunWishes>, string]>([
    [[node('gpu-1', { maxRuns: 2, runs: 2 })], {}, 'Waits for a place: gpu-1 runs 2 of 2.'],
    [
      [node('own', { runs: 1 }), node('gpu-1', { status: 'OFFLINE' })],
      {},
      'Waits for a place: own runs 1 of 1, gpu-1 is OFFLINE.',
    ],
    [
      ['a', 'b', 'c', 'd', 'e'].map((name) => node(name, { runs: 1 })),
      {},
      'Waits for a place: a runs 1 of 1, b runs 1 of 1, c runs 1 of 1, and 2 more.',
    ],
    [[node('own')], { labels: { zone: 'eu' } }, 'No node has the label zone=eu.'],
    [[node('own')], { labels: { zone: 'eu', disk: 'ssd' } }, 'No node has the labels zone=eu and disk=ssd.'],
    [
      [node('own'), node('gpu-1')],
      { nodeId: 'gpu-1', labels: { zone: 'eu' } },
      'gpu-1 does not have the label zone=eu.',
    ],
    [
      [node('gpu-1', gpus(4, 1))],
      { gpuCount: 2, gpuType: 'A100' },
      'Waits for 2 free GPUs of type A100: gpu-1 has 1 of 4 free.',
    ],
    [
      [node('own'), node('gpu-1', gpus(4, 4))],
      { gpuCount: 8 },
      'No node that it may run on has 8 GPUs: own has none, gpu-1 has 4.',
    ],
    [
      [node('own', { memoryBytes: 16 * GIB, reservedBytes: 14 * GIB })],
      { memoryBytes: 4 * GIB },
      'Waits for 4.0 GiB of free memory: own has 2.0 of 16.0 GiB left.',
    ],
    [
      [node('own', { memoryBytes: 16 * GIB })],
      { gpuCount: 0, memoryBytes: 64 * GIB },
      'No node that it may run on has 64.0 GiB of memory: own has 16.0 GiB of memory.',
    ],
  ])('%#', (nodes, wishes, reason) => {
    const { reasons } = planPlacements({ nodes, queue: [run('a', wishes)], placesOf: new Map() })

    expect(reasons.get('a')).toBe(reason)
  })

  test('as it is once the others have their places', () => {
    const { reasons } = planPlacements({
      nodes: [node('own')],
      queue: [run('a'), run('b')],
      placesOf: new Map(),
    })

    expect([...reasons]).toEqual([['b', 'Waits for a place: own runs 1 of 1.']])
  })
})

test('a queue of many thousands fills all nodes', () => {
  const nodes = Array.from({ length: 200 }, (_, index) => node(`n${index}`, { maxRuns: 4 }))
  const queue = Array.from({ length: 20_000 }, (_, index) =>
    run(`r${String(index).padStart(5, '0')}`, { gpuCount: index % 3 }, of(`p${index % 50}`)),
  )

  expect(placed(nodes, queue)).toHaveLength(800)
})
