// Writes a dataset of additions as JSONL:
//
//   node generate-dataset.ts --out additions.jsonl --count 6000 --seed 1
//
// The same count and seed give the same file, byte for byte.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { UsageError } from './errors.ts'
import { createRandom, permutation } from './random.ts'

/** Two digits each, so that every question has the same length and can be read without padding. */
const LOWEST = 10
const HIGHEST = 99
const NUMBERS = HIGHEST - LOWEST + 1

/** `count` different additions in random order. */
export function generateDataset(count: number, seed: number): string {
  const pairs = permutation(NUMBERS * NUMBERS, createRandom(seed)).subarray(0, count)
  return Array.from(pairs, (pair) => {
    const left = LOWEST + Math.floor(pair / NUMBERS)
    const right = LOWEST + (pair % NUMBERS)
    return `${JSON.stringify({ question: `${left}+${right}=`, answer: `${left + right}` })}\n`
  }).join('')
}

function main(): void {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      count: { type: 'string', default: '6000' },
      seed: { type: 'string', default: '1' },
    },
  })
  if (!values.out) throw new UsageError('say where to write with --out FILE')
  const count = Number(values.count)
  const seed = Number(values.seed)
  if (!Number.isInteger(count) || count < 1 || count > NUMBERS * NUMBERS) {
    throw new UsageError(`--count must be a whole number from 1 to ${NUMBERS * NUMBERS}, got ${values.count}`)
  }
  if (!Number.isInteger(seed) || seed < 0) {
    throw new UsageError(`--seed must be a whole number from 0, got ${values.seed}`)
  }
  const file = resolve(values.out)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, generateDataset(count, seed))
  process.stdout.write(`wrote ${count} additions to ${values.out} (seed ${seed})\n`)
}

if (import.meta.main) {
  try {
    main()
  } catch (error) {
    process.stderr.write(`generate-dataset: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
  }
}
