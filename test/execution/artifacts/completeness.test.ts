import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { createCompletenessTracker } from '../../../src/execution/artifacts/completeness.ts'
import type { Candidate } from '../../../src/execution/artifacts/scan.ts'

const ROOT = join('/', 'runs', '1', 'output')
const nobody = () => false
let time: number

beforeEach(() => {
  time = 1000
})

function tracker(reported?: Iterable<readonly [string, string]>) {
  return createCompletenessTracker({ quietMs: 2000, now: () => time, reported })
}

function file(name: string, fingerprint: string): Candidate {
  const path = join(ROOT, name)
  return { name, path, kind: 'file', type: 'FILE', step: null, sizeBytes: 1, fingerprint, files: [path] }
}

function folder(name: string, fingerprint: string, files = ['model.safetensors']): Candidate {
  const path = join(ROOT, name)
  const paths = files.map((entry) => join(path, entry))
  return { name, path, kind: 'folder', type: 'CHECKPOINT', step: 1, sizeBytes: 1, fingerprint, files: paths }
}

describe('observe', () => {
  it('reports a candidate once it has been the same for long enough, and only once', () => {
    const { observe } = tracker()
    const candidate = file('a', '1')
    expect(observe([candidate], nobody)).toEqual([])
    time += 1999
    expect(observe([candidate], nobody)).toEqual([])
    time += 1
    expect(observe([candidate], nobody)).toEqual([candidate])
    time += 5000
    expect(observe([candidate], nobody)).toEqual([])
  })

  it('begins to wait again with each change', () => {
    const { observe } = tracker()
    observe([file('a', '1')], nobody)
    time += 1500
    observe([file('a', '2')], nobody)
    time += 1500
    expect(observe([file('a', '2')], nobody)).toEqual([])
    time += 500
    expect(observe([file('a', '2')], nobody)).toHaveLength(1)
  })

  it('waits while a file of the candidate is open for writing', () => {
    const { observe } = tracker()
    const checkpoint = folder('checkpoint-1', '1', ['a.bin', 'b.bin'])
    const open = new Set([join(ROOT, 'checkpoint-1', 'b.bin')])
    observe([checkpoint], (path) => open.has(path))
    time += 60_000
    expect(observe([checkpoint], (path) => open.has(path))).toEqual([])
    open.clear()
    expect(observe([checkpoint], (path) => open.has(path))).toEqual([checkpoint])
  })

  it('reports a complete one again when it has changed and come to rest', () => {
    const { observe } = tracker()
    for (const fingerprint of ['1', '2', '3']) {
      const candidate = file('events.out.tfevents.1', fingerprint)
      expect(observe([candidate], nobody)).toEqual([])
      time += 2000
      expect(observe([candidate], nobody)).toEqual([candidate])
    }
  })

  it('lets what was deleted and written again wait again', () => {
    const { observe } = tracker()
    observe([file('a', '1')], nobody)
    observe([], nobody)
    time += 2000
    expect(observe([file('a', '1')], nobody)).toEqual([])
  })

  it('does not report what was reported before a restart', () => {
    const { observe, finish } = tracker([['a', '1']])
    observe([file('a', '1'), file('b', '1')], nobody)
    time += 2000
    expect(observe([file('a', '1'), file('b', '1')], nobody)).toEqual([file('b', '1')])
    expect(finish([file('a', '1'), file('b', '2')])).toEqual([file('b', '2')])
  })
})

describe('finish', () => {
  it('reports at once whatever has not been reported as it is', () => {
    const { observe, finish } = tracker()
    observe([file('a', '1')], nobody)
    time += 2000
    observe([file('a', '1')], nobody)
    expect(finish([file('a', '1'), file('b', '1'), folder('checkpoint-1', '1')])).toEqual([
      file('b', '1'),
      folder('checkpoint-1', '1'),
    ])
  })

  it('leaves out what was cut, and the folders around it', () => {
    const { finish } = tracker()
    const candidates = [
      file('a.bin', '1'),
      file('b.bin', '1'),
      folder('checkpoint-1', '1'),
      folder('checkpoint-10', '1'),
    ]
    const unfinishedFiles = [join(ROOT, 'a.bin'), join(ROOT, 'checkpoint-1', 'optimizer.pt.tmp')]
    expect(finish(candidates, { unfinishedFiles })).toEqual([
      file('b.bin', '1'),
      folder('checkpoint-10', '1'),
    ])
  })
})
