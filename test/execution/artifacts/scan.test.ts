import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Candidate, type SkipReason, scanOutput } from '../../../src/execution/artifacts/scan.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-scan-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function write(name: string, content = 'x'): Promise<void> {
  await mkdir(dirname(join(root, name)), { recursive: true })
  await writeFile(join(root, name), content)
}

async function names(): Promise<string[]> {
  return (await scanOutput(root)).map(({ name }) => name)
}

async function only(name: string): Promise<Candidate> {
  const found = (await scanOutput(root)).find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`no candidate ${name}`)
  return found
}

describe('scanOutput', () => {
  it('finds what a trainer leaves behind', async () => {
    await write('checkpoint-500/model.safetensors', '12345')
    await write('checkpoint-500/global_step500/rank0.pt', '123')
    await write('checkpoint-500/trainer_state.json', '{}')
    await write('config.json')
    await write('model.safetensors')
    await write('runs/Nov21/events.out.tfevents.1.host')
    await write('eval_results.json', '{"loss": 1}')
    await write('notes/read me.txt')

    expect(await scanOutput(root)).toMatchObject([
      { name: 'checkpoint-500', kind: 'folder', type: 'CHECKPOINT', step: 500, sizeBytes: 10 },
      { name: 'config.json', kind: 'file', type: 'CONFIG', step: null, path: join(root, 'config.json') },
      { name: 'eval_results.json', type: 'EVALUATION', sizeBytes: 11 },
      { name: 'model.safetensors', type: 'MODEL' },
      { name: 'notes/read me.txt', type: 'FILE' },
      { name: 'runs/Nov21/events.out.tfevents.1.host', type: 'TENSORBOARD' },
    ])
    expect((await only('checkpoint-500')).files).toEqual(
      ['global_step500/rank0.pt', 'model.safetensors', 'trainer_state.json'].map((file) =>
        join(root, 'checkpoint-500', file),
      ),
    )
  })

  it('finds checkpoints below other folders', async () => {
    await write('sft/run1/step_20/a.bin')
    await write('sft/run1/last.ckpt')
    expect(await names()).toEqual(['sft/run1/last.ckpt', 'sft/run1/step_20'])
  })

  it('takes the step from the state of the trainer where the name has none', async () => {
    await write('epoch_3/trainer_state.json', `{\n "epoch": 3.0,\n "global_step": 750,\n "log_history": []}`)
    await write('checkpoint-best/model.bin')
    expect((await only('epoch_3')).step).toBe(750)
    expect((await only('checkpoint-best')).step).toBeNull()
  })

  it('leaves out what is hidden, unfinished, a link, or empty', async () => {
    await write('real.txt')
    for (const name of [
      '.hidden',
      '.git/x',
      'tmp-checkpoint-5/x',
      'a.tmp',
      'b.part',
      'c.lock',
      '__pycache__/m.pyc',
    ]) {
      await write(name)
    }
    await mkdir(join(root, 'checkpoint-7'))
    await symlink(join(root, 'real.txt'), join(root, 'link.txt'))
    await symlink(root, join(root, 'loop'))
    expect(await names()).toEqual(['real.txt'])
  })

  it('finds nothing in a folder that is not there', async () => {
    expect(await scanOutput(join(root, 'missing'))).toEqual([])
  })

  it('says where it stopped', async () => {
    const skipped: [string, SkipReason][] = []
    const onSkip = (path: string, reason: SkipReason) => void skipped.push([path, reason])
    await write('a/b/c/deep.txt')
    await write('a/top.txt')
    expect((await scanOutput(root, { maxDepth: 2, onSkip })).map(({ name }) => name)).toEqual(['a/top.txt'])
    expect(skipped).toEqual([[join(root, 'a/b'), 'DEPTH_LIMIT']])

    skipped.length = 0
    for (let i = 0; i < 20; i++) await write(`many/${i}.txt`)
    expect(await scanOutput(join(root, 'many'), { maxEntries: 5, onSkip })).toHaveLength(5)
    expect(skipped).toEqual([[join(root, 'many'), 'ENTRY_LIMIT']])
  })

  it('leaves out a checkpoint that it could not list whole', async () => {
    for (let i = 0; i < 20; i++) await write(`checkpoint-1/${i}.bin`)
    expect(await scanOutput(root, { maxEntries: 10 })).toEqual([])
    await write('checkpoint-2/a/b/x.bin')
    expect((await scanOutput(root, { maxDepth: 2 })).map(({ name }) => name)).toEqual(['checkpoint-1'])
  })
})

describe('the fingerprint', () => {
  const changes: [string, () => Promise<void>][] = [
    ['a size', () => write('checkpoint-1/sub/a.bin', 'longer')],
    ['a time', () => utimes(join(root, 'checkpoint-1/sub/a.bin'), 1, 1)],
    ['a name', () => rename(join(root, 'checkpoint-1/sub/a.bin'), join(root, 'checkpoint-1/sub/b.bin'))],
    ['a new file', () => write('checkpoint-1/b.bin')],
    ['a file less', () => rm(join(root, 'checkpoint-1/c.bin'))],
    ['a file that is being written', () => write('checkpoint-1/d.tmp')],
    [
      'a file replaced by another of the same size and time',
      async () => {
        const path = join(root, 'checkpoint-1/sub/a.bin')
        await writeFile(`${path}.new`, 'y')
        await utimes(`${path}.new`, 5, 5)
        await rename(`${path}.new`, path)
      },
    ],
  ]

  it.each(changes)('of a folder changes with %s', async (_, change) => {
    await write('checkpoint-1/sub/a.bin')
    await write('checkpoint-1/c.bin')
    await utimes(join(root, 'checkpoint-1/sub/a.bin'), 5, 5)
    const before = await only('checkpoint-1')
    expect((await only('checkpoint-1')).fingerprint).toBe(before.fingerprint)
    await change()
    expect((await only('checkpoint-1')).fingerprint).not.toBe(before.fingerprint)
  })

  it('of a file stays when its neighbour changes', async () => {
    await write('a.txt')
    const before = await only('a.txt')
    await write('b.txt')
    expect((await only('a.txt')).fingerprint).toBe(before.fingerprint)
  })
})
