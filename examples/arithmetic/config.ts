import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { UsageError } from './errors.ts'

/** The config file with its defaults filled in. Keys that the trainer does not know are ignored. */
export interface Config {
  learning_rate: number
  batch_size: number
  max_steps: number
  warmup_steps: number
  weight_decay: number
  max_grad_norm: number
  seed: number
  eval_fraction: number
  logging_steps: number
  eval_steps: number
  save_steps: number
  /** How many checkpoints to keep; 0 keeps them all. */
  save_total_limit: number
  /** Undefined where the file is silent: a resumed run then takes the checkpoint's. */
  d_model: number | undefined
  layers: number | undefined
  heads: number | undefined
}

/** @throws UsageError with one line that names the file and the key. */
export function readConfig(path: string): Config {
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`cannot read the config: ${reason.split('\n')[0]}`)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new UsageError(`${path}: expected a mapping of settings`)
  }
  const settings = new Map<string, unknown>(Object.entries(document))

  /** The setting's value, or undefined where the file does not have it. */
  function number(key: string, allowed: string, isAllowed: (value: number) => boolean): number | undefined {
    const value = settings.get(key) ?? undefined
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !isAllowed(value)) {
      throw new UsageError(`${path}: ${key} must be ${allowed}, got ${JSON.stringify(value)}`)
    }
    return value
  }
  const positive = (key: string) => number(key, 'a number above 0', (n) => n > 0 && n < Infinity)
  const notNegative = (key: string) => number(key, 'a number from 0', (n) => n >= 0 && n < Infinity)
  const fraction = (key: string) => number(key, 'between 0 and 1', (n) => n > 0 && n < 1)
  const natural = (key: string) => number(key, 'a whole number from 0', (n) => Number.isInteger(n) && n >= 0)
  const count = (key: string) => number(key, 'a whole number from 1', (n) => Number.isInteger(n) && n >= 1)

  return {
    learning_rate: positive('learning_rate') ?? 0.006,
    batch_size: count('batch_size') ?? 32,
    max_steps: count('max_steps') ?? 1500,
    warmup_steps: natural('warmup_steps') ?? 50,
    weight_decay: notNegative('weight_decay') ?? 0.1,
    max_grad_norm: positive('max_grad_norm') ?? 1,
    seed: natural('seed') ?? 1,
    eval_fraction: fraction('eval_fraction') ?? 0.1,
    logging_steps: count('logging_steps') ?? 20,
    eval_steps: count('eval_steps') ?? 200,
    save_steps: count('save_steps') ?? 200,
    save_total_limit: natural('save_total_limit') ?? 0,
    d_model: count('d_model'),
    layers: count('layers'),
    heads: count('heads'),
  }
}
