import { describe, expect, test } from 'vitest'
import { createRelocator, reversed } from '../../src/agent/relocate.ts'

const RELOCATIONS = [
  { from: '/srv/runs/run_1', to: '/node/e1/root' },
  { from: '/srv/runs/run_1/dataset', to: '/node/e1/data' },
  { from: '/srv/runs/run_2/output/checkpoint-1', to: '/node/e1/inputs/0/checkpoint-1' },
  { from: '/models/a+b (1)', to: '/node/e1/inputs/1/a+b (1)' },
]

describe('paths of the server become those of the node', () => {
  test.each([
    ['alone', '/srv/runs/run_1', '/node/e1/root'],
    ['with what is below', '/srv/runs/run_1/config.yaml', '/node/e1/root/config.yaml'],
    ['with a slash at the end', '/srv/runs/run_1/', '/node/e1/root/'],
    ['the longest that fits', '/srv/runs/run_1/dataset/train.jsonl', '/node/e1/data/train.jsonl'],
    ['a shorter one, where the longer only begins so', '/srv/runs/run_1/dataset2', '/node/e1/root/dataset2'],
    ['behind an option', '--config=/srv/runs/run_1/config.yaml', '--config=/node/e1/root/config.yaml'],
    ['in a list', 'a:/srv/runs/run_1/lib:/usr/lib', 'a:/node/e1/root/lib:/usr/lib'],
    ['several times', '/srv/runs/run_1,/srv/runs/run_1/x', '/node/e1/root,/node/e1/root/x'],
    ['in quotes', '{"data": "/srv/runs/run_1/dataset"}', '{"data": "/node/e1/data"}'],
    ['in an address', 'file:///srv/runs/run_1/x', 'file:///node/e1/root/x'],
    ['with signs that mean something in patterns', '/models/a+b (1)/x', '/node/e1/inputs/1/a+b (1)/x'],
    ['of another run', '/srv/runs/run_2/output/checkpoint-1/w.bin', '/node/e1/inputs/0/checkpoint-1/w.bin'],
  ])('%s', (_what, given, expected) => {
    expect(createRelocator(RELOCATIONS)(given)).toBe(expected)
  })

  test.each([
    ['a name that only begins like it', '/srv/runs/run_12/config.yaml'],
    ['a file beside it', '/srv/runs/run_1.bak'],
    ['a part of another path', '/mnt/srv/runs/run_1/config.yaml'],
    ['a relative path', './srv/runs/run_1'],
    ['a folder above it', '/srv/runs'],
    ['the output of another run', '/srv/runs/run_2/output'],
    ['nothing', ''],
    ['$& and other signs of replacements', '$& $1 $$'],
  ])('not: %s', (_what, given) => {
    expect(createRelocator(RELOCATIONS)(given)).toBe(given)
  })

  test('and back again', () => {
    const back = createRelocator(reversed(RELOCATIONS))
    expect(back('/node/e1/data/train.jsonl')).toBe('/srv/runs/run_1/dataset/train.jsonl')
    expect(back('/node/e1/root/output/w.bin')).toBe('/srv/runs/run_1/output/w.bin')
  })

  test('nothing moves when nothing is to move', () => {
    expect(createRelocator([])('/srv/runs/run_1')).toBe('/srv/runs/run_1')
  })
})
