import { readFileSync } from 'node:fs'
import { UsageError } from './errors.ts'
import type { Batch } from './model.ts'
import { createRandom, permutation } from './random.ts'
import { END, type Tokenizer } from './tokenizer.ts'

export interface Example {
  question: string
  answer: string
}

/** The examples to learn from, and those that are only ever asked. */
export interface Split {
  train: Example[]
  heldOut: Example[]
}

/**
 * Reads a JSONL file of `{"question", "answer"}`.
 *
 * @throws UsageError naming the line that is not an example
 */
export function readDataset(path: string): Example[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`cannot read the dataset: ${error instanceof Error ? error.message : error}`)
  }
  const examples = text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return []
    const example = parseExample(line)
    if (!example) throw new UsageError(`${path}:${i + 1}: expected {"question": "…", "answer": "…"}`)
    return [example]
  })
  if (examples.length === 0) throw new UsageError(`${path}: the dataset is empty`)
  return examples
}

/**
 * Holds out the given fraction. An example's place follows from its question alone, so the split
 * is the same for every seed and every run, and a question that occurs twice stays on one side.
 */
export function splitDataset(examples: Example[], fraction: number): Split {
  const heldOut = examples.filter(({ question }) => hash(question) < fraction)
  const train = examples.filter(({ question }) => hash(question) >= fraction)
  if (train.length === 0 || heldOut.length === 0) {
    throw new UsageError('the dataset is too small: nothing to train on, or nothing to hold out')
  }
  return { train, heldOut }
}

/** The longest sequence the model reads: a question and its answer. */
export function longestSequence(examples: Example[]): number {
  return examples.reduce((most, { question, answer }) => Math.max(most, [...question, ...answer].length), 1)
}

/** One batch. Only the answer's characters and its end mark are targets: the question is given. */
export function encodeBatch(examples: Example[], tokenizer: Tokenizer): Batch {
  const sequences = examples.map(({ question, answer }) => ({
    asked: tokenizer.encode(question),
    told: tokenizer.encode(answer),
  }))
  const length = sequences.reduce((most, { asked, told }) => Math.max(most, asked.length + told.length), 1)
  const inputs = new Int32Array(examples.length * length).fill(END)
  const targets = new Int32Array(examples.length * length).fill(-1)
  sequences.forEach(({ asked, told }, i) => {
    inputs.set([...asked, ...told], i * length)
    targets.set([...told, END], i * length + asked.length - 1)
  })
  return { size: examples.length, length, inputs, targets }
}

/**
 * The order of the examples, epoch after epoch: `take(position, count)` gives the ones from a
 * position in the endless sequence, which depends on the seed alone. So a resumed run continues
 * with just the examples that an uninterrupted run would have seen next.
 */
export function createOrder(examples: Example[], seed: number) {
  let shuffled = -1
  let order = permutation(0, createRandom(seed))
  return {
    take(position: number, count: number): Example[] {
      return Array.from({ length: count }, (_, i) => {
        const epoch = Math.floor((position + i) / examples.length)
        if (epoch !== shuffled) {
          order = permutation(examples.length, createRandom(seed, epoch))
          shuffled = epoch
        }
        const example = examples[order[(position + i) % examples.length] ?? 0]
        if (!example) throw new Error('the order points outside the dataset')
        return example
      })
    },
  }
}

function parseExample(line: string): Example | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('question' in value) || typeof value.question !== 'string' || value.question === '') return undefined
  if (!('answer' in value) || typeof value.answer !== 'string' || value.answer === '') return undefined
  return { question: value.question, answer: value.answer }
}

/** FNV-1a of the text, scaled to [0, 1). */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 0x01000193)
  // FNV leaves the high bits of short texts alike; two more rounds mix them.
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return ((state ^ (state >>> 16)) >>> 0) / 2 ** 32
}
