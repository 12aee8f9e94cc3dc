// A checkpoint is a folder with everything that the next step depends on, so that a resumed run
// goes on exactly as the first one would have.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Config } from './config.ts'
import { UsageError } from './errors.ts'
import type { Model, ModelShape } from './model.ts'
import type { AdamState } from './optimizer.ts'
import type { Parameters } from './parameters.ts'
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Where the training stands, besides the weights and the optimizer's state. */
export interface Progress {
  /** Steps done. */
  step: number
  /** Examples taken from the endless shuffled sequence: where the next batch begins. */
  examples_seen: number
  /** Sum and count of the losses since the last line that was printed. */
  loss_sum: number
  loss_count: number
}

/** A checkpoint read from disk. */
export interface Checkpoint {
  path: string
  shape: ModelShape
  characters: string
  progress: Progress
  /** Copies the weights and the optimizer's state into a model of the same shape. */
  restore(parameters: Parameters, adam: AdamState): void
}

/**
 * Writes `checkpoint-STEP`. The folder is complete when it gets that name: until then it is hidden,
 * and every file is on disk before the rename.
 *
 * @returns the name of the folder
 */
export function saveCheckpoint(
  outputDir: string,
  model: Model,
  tokenizer: Tokenizer,
  adam: AdamState,
  progress: Progress,
  config: Config,
): string {
  const name = `checkpoint-${progress.step}`
  const hidden = join(outputDir, `.${name}.tmp`)
  rmSync(hidden, { recursive: true, force: true })
  mkdirSync(hidden, { recursive: true })
  const moments = (prefix: string, values: Float32Array): Tensor[] =>
    model.parameters.list.map((parameter) => ({
      name: `${prefix}.${parameter.name}`,
      shape: parameter.shape,
      values: values.subarray(parameter.offset, parameter.offset + parameter.values.length),
    }))
  const optimizer = [...moments('exp_avg', adam.means), ...moments('exp_avg_sq', adam.squares)]
  const state = { ...progress, max_steps: config.max_steps, seed: config.seed }
  const { d_model, layers, heads } = model.shape
  write(join(hidden, 'model.safetensors'), encodeModel(model, tokenizer))
  write(join(hidden, 'optimizer.safetensors'), encodeSafetensors(optimizer, {}))
  write(join(hidden, 'trainer_state.json'), `${JSON.stringify(state, null, 2)}\n`)
  write(join(hidden, 'config.yaml'), stringify({ ...config, d_model, layers, heads }))
  const final = join(outputDir, name)
  rmSync(final, { recursive: true, force: true })
  renameSync(hidden, final)
  return name
}

/** Removes the oldest checkpoints, so that at most `limit` are left. */
export function pruneCheckpoints(outputDir: string, limit: number): void {
  const steps = readdirSync(outputDir)
    .flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a)
  for (const step of steps.slice(limit)) {
    rmSync(join(outputDir, `checkpoint-${step}`), { recursive: true, force: true })
  }
}

/** The weights alone; the metadata says all that is needed to use them. */
export function encodeModel({ shape, parameters }: Model, { characters }: Tokenizer): Uint8Array {
  const metadata = Object.entries(shape).map(([key, value]) => [key, String(value)])
  return encodeSafetensors(parameters.list, { format: 'pt', characters, ...Object.fromEntries(metadata) })
}

/** Writes a file so that whoever sees its name sees it whole. */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  write(`${path}.tmp`, content)
  renameSync(`${path}.tmp`, path)
}

/** @throws UsageError if the folder is not a complete checkpoint of this trainer. */
export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) throw new UsageError(`there is no checkpoint at ${path}`)
  try {
    const model = decodeSafetensors(readFileSync(join(path, 'model.safetensors')))
    const optimizer = decodeSafetensors(readFileSync(join(path, 'optimizer.safetensors')))
    const state: unknown = JSON.parse(readFileSync(join(path, 'trainer_state.json'), 'utf8'))
    const shapeOf = (key: keyof ModelShape) => whole(Number(model.metadata[key]), key)
    return {
      path,
      shape: {
        vocabulary: shapeOf('vocabulary'),
        context: shapeOf('context'),
        d_model: shapeOf('d_model'),
        layers: shapeOf('layers'),
        heads: shapeOf('heads'),
      },
      characters: model.metadata.characters ?? '',
      progress: readProgress(state),
      restore(parameters, adam) {
        for (const { name, offset, values } of parameters.list) {
          copy(model.tensors, name, values)
          copy(optimizer.tensors, `exp_avg.${name}`, adam.means.subarray(offset, offset + values.length))
          copy(optimizer.tensors, `exp_avg_sq.${name}`, adam.squares.subarray(offset, offset + values.length))
        }
      },
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`${path} is not a complete checkpoint of this trainer: ${reason}`)
  }
}

function readProgress(state: unknown): Progress {
  const fields = new Map<string, unknown>(Object.entries(state ?? {}))
  const field = (key: keyof Progress): number => {
    const value = fields.get(key)
    if (typeof value !== 'number') throw new Error(`trainer_state.json has no ${key}`)
    return value
  }
  return {
    step: whole(field('step'), 'step'),
    examples_seen: whole(field('examples_seen'), 'examples_seen'),
    loss_sum: field('loss_sum'),
    loss_count: whole(field('loss_count'), 'loss_count'),
  }
}

function whole(value: number, key: string): number {
  if (!Number.isInteger(value) || value < 0) throw new Error(`${key} is missing or not a whole number`)
  return value
}

function copy(tensors: Map<string, Tensor>, name: string, out: Float32Array): void {
  const tensor = tensors.get(name)
  if (tensor?.values.length !== out.length) throw new UsageError(`the checkpoint's ${name} does not fit`)
  out.set(tensor.values)
}

function write(path: string, content: string | Uint8Array): void {
  writeFileSync(path, content, { flush: true })
}
