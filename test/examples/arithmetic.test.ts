import { on } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { encodeBatch, splitDataset } from '../../examples/arithmetic/dataset.ts'
import { generateDataset } from '../../examples/arithmetic/generate-dataset.ts'
import { multiplyTransposed } from '../../examples/arithmetic/matrix.ts'
import { createModel } from '../../examples/arithmetic/model.ts'
import { createRandom, fillNormal } from '../../examples/arithmetic/random.ts'
import { decodeSafetensors, encodeSafetensors } from '../../examples/arithmetic/safetensors.ts'
import { tokenizerFor } from '../../examples/arithmetic/tokenizer.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/arithmetic')
/** Small enough that a step takes a few milliseconds. */
const SMALL = {
  d_model: 16,
  layers: 1,
  heads: 2,
  batch_size: 8,
  logging_steps: 5,
  warmup_steps: 5,
  eval_steps: 100,
}

let folder: string
let dataset: string
let runs = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arithmetic-'))
  dataset = join(folder, 'additions.jsonl')
  writeFileSync(dataset, generateDataset(400, 1))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Starts the trainer as Trainyard does: the config's path as argument, the rest in the environment. */
function start(config: Record<string, unknown>, environment: Record<string, string> = {}) {
  const output = join(folder, `run-${++runs}`)
  const configFile = `${output}.yaml`
  writeFileSync(configFile, stringify({ ...SMALL, ...config }))
  const child = execa(process.execPath, [join(EXAMPLE, 'train.ts'), configFile], {
    env: { TRAINYARD_DATASET: dataset, TRAINYARD_OUTPUT_DIR: output, ...environment },
    reject: false,
  })
  return { child, output }
}

async function train(config: Record<string, unknown>, environment?: Record<string, string>) {
  const { child, output } = start(config, environment)
  const { exitCode, stdout, stderr } = await child
  const lines = stdout.split('\n').filter(Boolean).map(parseMetrics)
  return { exitCode, output, stderr, curve: lines.filter((line) => 'loss' in line), lines }
}

/** A line of metrics, without the one that differs every time. */
function parseMetrics(line: string): Record<string, number> {
  const { tokens_per_second: _, ...metrics } = JSON.parse(line)
  return metrics
}

/** Waits for the line of a step, and leaves the stream open for those that follow. */
async function printsStep(stdout: NodeJS.ReadableStream, step: number): Promise<void> {
  const lines = createInterface({ input: stdout })
  for await (const [line] of on(lines, 'line', { close: ['close'] })) {
    if (parseMetrics(line).step === step) return
  }
  throw new Error(`the trainer ended before step ${step}`)
}

const losses = (curve: Record<string, number>[]) => curve.map((line) => line.loss)

describe('the trainer', { timeout: 30_000 }, () => {
  test('lowers the loss, and leaves the model and what it answers', async () => {
    const { exitCode, output, curve, lines, stderr } = await train({ max_steps: 60, save_steps: 30 })
    expect(stderr).toContain('saved checkpoint-30')
    expect(exitCode).toBe(0)
    const [first, last] = [curve.at(0)?.loss ?? 0, curve.at(-1)?.loss ?? 0]
    // Before the first step every one of the 13 characters is about as likely as the next.
    expect(first).toBeCloseTo(Math.log(13), 0)
    expect(last).toBeLessThan(0.75 * first)
    expect(curve.at(-1)).toMatchObject({ step: 60, max_steps: 60 })
    expect(lines.at(-1)).toEqual({
      step: 60,
      eval_loss: expect.any(Number),
      eval_accuracy: expect.any(Number),
    })
    expect(readdirSync(output).sort()).toEqual([
      'checkpoint-30',
      'checkpoint-60',
      'eval_results.json',
      'model.safetensors',
    ])
    expect(readdirSync(join(output, 'checkpoint-60')).sort()).toEqual([
      'config.yaml',
      'model.safetensors',
      'optimizer.safetensors',
      'trainer_state.json',
    ])
    const results = JSON.parse(readFileSync(join(output, 'eval_results.json'), 'utf8'))
    expect(results).toMatchObject({ step: 60, eval_loss: expect.closeTo(lines.at(-1)?.eval_loss ?? 0, 3) })
    expect(results.samples[0]).toEqual({
      question: expect.stringMatching(/^\d\d\+\d\d=$/),
      answer: expect.any(String),
      predicted: expect.any(String),
    })
  })

  test('draws the same curve for the same seed and another for another', async () => {
    const [one, again, other] = await Promise.all([
      train({ max_steps: 10, seed: 1 }),
      train({ max_steps: 10, seed: 1 }),
      train({ max_steps: 10, seed: 2 }),
    ])
    expect(one.curve).toHaveLength(3)
    expect(again.lines).toEqual(one.lines)
    expect(losses(other.curve)).not.toEqual(losses(one.curve))
  })

  test('resumes on the very curve it left, unless the config says otherwise', async () => {
    // Step 18 lies between two lines: the running mean of the loss must survive too.
    const whole = await train({ max_steps: 40, save_steps: 18, save_total_limit: 2 })
    const from = join(whole.output, 'checkpoint-36')
    const resume = { TRAINYARD_RESUME_FROM: from }
    const [same, faster, longer] = await Promise.all([
      train({ max_steps: 40 }, resume),
      train({ max_steps: 40, learning_rate: 0.02 }, resume),
      train({ max_steps: 45, d_model: undefined }, resume),
    ])
    expect(same.stderr).toContain(`resuming ${from} after step 36`)
    expect(same.curve).toEqual(whole.curve.filter((line) => (line.step ?? 0) > 36))
    expect(same.lines.at(-1)).toEqual(whole.lines.at(-1))
    expect(faster.curve[0]?.learning_rate).not.toBe(same.curve[0]?.learning_rate)
    expect(losses(faster.curve)).not.toEqual(losses(same.curve))
    expect(longer.curve.map((line) => line.step)).toEqual([40, 45])
    // Only the two newest were to be kept: 36 and the last.
    expect(readdirSync(whole.output).filter((name) => name.startsWith('checkpoint'))).toEqual([
      'checkpoint-36',
      'checkpoint-40',
    ])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('saves where it stands on %s, and can go on', async (signal) => {
    const { child, output } = start({ max_steps: 1_000_000, save_steps: 1_000_000 })
    await printsStep(child.stdout, 10)
    child.kill(signal)
    const { exitCode, stderr } = await child
    expect(exitCode).toBe(signal === 'SIGTERM' ? 143 : 130)
    const step = Number(/saved checkpoint-(\d+)/.exec(stderr)?.[1])
    expect(step).toBeGreaterThanOrEqual(10)
    expect(readdirSync(output)).toEqual([`checkpoint-${step}`])

    const resumed = await train(
      { max_steps: step + 1 },
      { TRAINYARD_RESUME_FROM: join(output, `checkpoint-${step}`) },
    )
    expect(resumed.exitCode).toBe(0)
    expect(resumed.curve.map((line) => line.step)).toEqual([step + 1])
  })

  test('refuses what cannot work with one line and exit code 2', async () => {
    const { output } = await train({ max_steps: 1 })
    const checkpoint = { TRAINYARD_RESUME_FROM: join(output, 'checkpoint-1') }
    const refused = await Promise.all([
      train({ learning_rate: 'high' }),
      train({ batch_size: 0 }),
      train({ d_model: 15 }),
      train({ d_model: 32 }, checkpoint),
      train({}, { TRAINYARD_RESUME_FROM: join(folder, 'nowhere') }),
      train({}, { TRAINYARD_DATASET: join(folder, 'nowhere.jsonl') }),
    ])
    const messages = refused.map(({ stderr }) => stderr.replaceAll(folder, ''))
    expect(refused.map(({ exitCode }) => exitCode)).toEqual(refused.map(() => 2))
    expect(refused.map(({ lines }) => lines)).toEqual(refused.map(() => []))
    const from = checkpoint.TRAINYARD_RESUME_FROM.replace(folder, '')
    expect(messages).toEqual([
      expect.stringMatching(/^train: .*: learning_rate must be a number above 0, got "high"$/),
      expect.stringMatching(/^train: .*: batch_size must be a whole number from 1, got 0$/),
      'train: d_model (15) must be a multiple of heads (2)',
      `train: d_model is 32 in the config but 16 in ${from}`,
      'train: there is no checkpoint at /nowhere',
      expect.stringMatching(/^train: cannot read the dataset: ENOENT[^\n]*$/),
    ])
  })
})

describe('the model', () => {
  const examples = [
    { question: '12+34=', answer: '46' },
    { question: '5+6=', answer: '11' },
    { question: '77+88=', answer: '165' },
  ]
  const tokenizer = tokenizerFor(['0123456789+='])
  const batch = encodeBatch(examples, tokenizer)

  test('computes the gradient that finite differences give', () => {
    const shape = { vocabulary: tokenizer.size, context: batch.length, d_model: 12, layers: 2, heads: 3 }
    const random = createRandom(7)
    const model = createModel(shape, random)
    const { parameters } = model
    // Away from the start, so that gains and the head have sizeable gradients too.
    const noise = new Float32Array(parameters.values.length)
    fillNormal(noise, 0.2, random)
    for (const [i, value] of noise.entries()) parameters.values[i] = (parameters.values[i] ?? 0) + value

    model.scoreAndDifferentiate(batch)
    for (const { name, values, gradients } of parameters.list) {
      // Along the gradient itself the slope is the gradient's norm, and no sign can cancel out.
      const gradient = gradients.slice()
      const norm = Math.hypot(...gradient)
      const original = values.slice()
      const lossAt = (distance: number) => {
        for (const [i, value] of original.entries()) {
          values[i] = value + (distance * (gradient[i] ?? 0)) / norm
        }
        const { loss, targets } = model.score(batch)
        return loss / targets
      }
      const distance = 0.01
      const slope = (lossAt(distance) - lossAt(-distance)) / (2 * distance)
      values.set(original)
      expect(Math.abs(slope / norm - 1), `${name}: slope ${slope}, gradient ${norm}`).toBeLessThan(0.01)
    }
  })

  test('never looks at what comes later', () => {
    const shape = { vocabulary: tokenizer.size, context: 9, d_model: 8, layers: 2, heads: 2 }
    const model = createModel(shape, createRandom(1))
    const lossOf = (answer: string) => {
      const only = encodeBatch([{ question: '12+34=', answer }], tokenizer)
      only.targets.fill(-1, 6)
      return model.score(only).loss
    }
    expect(lossOf('46')).toBe(lossOf('49'))
    expect(lossOf('46')).not.toBe(lossOf('96'))
  })

  test('multiplies matrices of sizes that the blocks do not divide', () => {
    const [rows, columns, inner] = [5, 7, 3]
    const a = Float32Array.from({ length: rows * inner }, (_, i) => i - 4)
    const b = Float32Array.from({ length: columns * inner }, (_, i) => 2 * i - 9)
    const out = new Float32Array(rows * columns).fill(1)
    multiplyTransposed(a, b, out, rows, columns, inner, true)
    const expected = Array.from({ length: rows * columns }, (_, at) => {
      const [i, j] = [Math.floor(at / columns), at % columns]
      return [0, 1, 2].reduce((sum, p) => sum + (a[i * inner + p] ?? 0) * (b[j * inner + p] ?? 0), 1)
    })
    expect([...out]).toEqual(expected)
  })
})

describe('the dataset', () => {
  test('is the same for the same seed, and holds out the same questions whatever their order', async () => {
    const parse = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    expect(generateDataset(50, 3)).toBe(generateDataset(50, 3))
    expect(generateDataset(50, 3)).not.toBe(generateDataset(50, 4))
    const examples = parse(generateDataset(8100, 1))
    expect(new Set(examples.map(({ question }) => question)).size).toBe(8100)
    const { train: kept, heldOut } = splitDataset(examples, 0.1)
    expect(kept.length + heldOut.length).toBe(8100)
    expect(heldOut.length / 8100).toBeCloseTo(0.1, 1)
    const backwards = splitDataset(examples.toReversed(), 0.1)
    expect(backwards.heldOut.toReversed()).toEqual(heldOut)
  })

  test('is written by its script', async () => {
    const out = join(folder, 'new/folder/sums.jsonl')
    const script = join(EXAMPLE, 'generate-dataset.ts')
    const { stdout } = await execa(process.execPath, [script, '--out', out, '--count', '7', '--seed', '2'])
    expect(stdout).toBe(`wrote 7 additions to ${out} (seed 2)`)
    expect(readFileSync(out, 'utf8')).toBe(generateDataset(7, 2))
  })
})

test('safetensors files give back what was written, and their floats begin at a multiple of eight', () => {
  const tensors = [
    { name: 'a', shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 0, 1e-30, -1e30) },
    { name: 'b.weight', shape: [1], values: Float32Array.of(7) },
  ]
  const file = encodeSafetensors(tensors, { characters: '+=äöü' })
  expect(new DataView(file.buffer, file.byteOffset).getUint32(0, true) % 8).toBe(0)
  const read = decodeSafetensors(file)
  expect([...read.tensors.values()]).toEqual(tensors)
  expect(read.metadata).toEqual({ characters: '+=äöü' })
  expect(() => decodeSafetensors(file.subarray(0, file.length - 1))).toThrow('b.weight')
})
