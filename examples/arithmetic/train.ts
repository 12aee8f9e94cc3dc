// Trains a small language model to do sums:
//
//   node train.ts config.yaml --dataset additions.jsonl --output output [--resume checkpoint-200]
//
// Under Trainyard the flags are not needed: TRAINYARD_DATASET, TRAINYARD_OUTPUT_DIR and
// TRAINYARD_RESUME_FROM say the same. A flag wins over its variable.
//
// Exit codes: 0 trained to the end; 1 training failed; 2 bad config, dataset or checkpoint;
// 143 stopped by SIGTERM and 130 by SIGINT, in both cases after saving a checkpoint.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type Checkpoint,
  encodeModel,
  pruneCheckpoints,
  readCheckpoint,
  saveCheckpoint,
  writeAtomically,
} from './checkpoint.ts'
import { type Config, readConfig } from './config.ts'
import { type Example, longestSequence, readDataset, splitDataset } from './dataset.ts'
import { UsageError } from './errors.ts'
import { type Evaluation, evaluate, predict } from './evaluate.ts'
import { createModel, type Model, type ModelShape } from './model.ts'
import { createAdamState } from './optimizer.ts'
import { createRandom } from './random.ts'
import { createTokenizer, type Tokenizer, tokenizerFor } from './tokenizer.ts'
import { reportEvaluation, runTraining } from './trainer.ts'

const DEFAULT_SIZE = { d_model: 32, layers: 2, heads: 4 }
const EXIT_CODES = { SIGTERM: 143, SIGINT: 130 }
const SAMPLES = 20

interface Options {
  config: string
  dataset: string
  output: string
  resume: string | undefined
}

async function main(): Promise<number> {
  const stop = listenForSignals()
  const options = readOptions()
  const config = readConfig(options.config)
  const examples = readDataset(options.dataset)
  const split = splitDataset(examples, config.eval_fraction)
  const checkpoint = options.resume ? readCheckpoint(options.resume) : undefined
  const tokenizer = checkpoint
    ? createTokenizer(checkpoint.characters)
    : tokenizerFor(examples.flatMap(({ question, answer }) => [question, answer]))
  const shape = chooseShape(config, examples, tokenizer, checkpoint)
  const model = createModel(shape, createRandom(config.seed))
  const adam = createAdamState(model.parameters)
  checkpoint?.restore(model.parameters, adam)
  const start = checkpoint?.progress ?? { step: 0, examples_seen: 0, loss_sum: 0, loss_count: 0 }
  mkdirSync(options.output, { recursive: true })

  if (process.env.TRAINYARD_RUN_ID) say(`run ${process.env.TRAINYARD_RUN_ID}`)
  say(
    `${model.parameters.values.length} parameters; ${split.train.length} examples to train on, ` +
      `${split.heldOut.length} held out`,
  )
  if (checkpoint) say(`resuming ${checkpoint.path} after step ${start.step}`)
  if (start.step >= config.max_steps) say(`max_steps is ${config.max_steps}: nothing left to train`)

  const { progress, evaluation } = await runTraining(
    {
      config,
      model,
      tokenizer,
      adam,
      split,
      report,
      isStopping: () => stop.signal !== undefined,
      save(now) {
        say(`saved ${saveCheckpoint(options.output, model, tokenizer, adam, now, config)}`)
        if (config.save_total_limit > 0) pruneCheckpoints(options.output, config.save_total_limit)
      },
    },
    start,
  )
  if (stop.signal && progress.step < config.max_steps) {
    say(`stopped by ${stop.signal} after step ${progress.step}`)
    return EXIT_CODES[stop.signal]
  }
  const result = evaluation ?? evaluate(model, tokenizer, split.heldOut)
  if (!evaluation) reportEvaluation(report, progress.step, result)
  writeResults(options.output, model, tokenizer, split.heldOut, progress.step, result)
  return 0
}

/** From here on SIGTERM and SIGINT only leave a note, which the training reads between two steps. */
function listenForSignals() {
  const stop: { signal?: keyof typeof EXIT_CODES } = {}
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop.signal ??= signal
    })
  }
  return stop
}

function readOptions(): Options {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { dataset: { type: 'string' }, output: { type: 'string' }, resume: { type: 'string' } },
  })
  const [config, ...more] = positionals
  if (!config || more.length > 0) throw new UsageError('usage: node train.ts CONFIG.yaml [--dataset FILE] …')
  // An empty variable counts as one that is not set.
  const dataset = values.dataset ?? process.env.TRAINYARD_DATASET
  const output = values.output ?? process.env.TRAINYARD_OUTPUT_DIR
  const resume = values.resume ?? process.env.TRAINYARD_RESUME_FROM
  if (!dataset) throw new UsageError('no dataset: set TRAINYARD_DATASET or pass --dataset FILE')
  if (!output) throw new UsageError('no output folder: set TRAINYARD_OUTPUT_DIR or pass --output FOLDER')
  return { config, dataset, output, resume: resume || undefined }
}

/** The shape of the weights: the checkpoint's where there is one, otherwise the config's. */
function chooseShape(
  config: Config,
  examples: Example[],
  tokenizer: Tokenizer,
  checkpoint: Checkpoint | undefined,
): ModelShape {
  const longest = longestSequence(examples)
  if (checkpoint) {
    const { shape, path } = checkpoint
    for (const key of ['d_model', 'layers', 'heads'] as const) {
      if ((config[key] ?? shape[key]) === shape[key]) continue
      throw new UsageError(`${key} is ${config[key]} in the config but ${shape[key]} in ${path}`)
    }
    if (longest > shape.context) {
      throw new UsageError(
        `the dataset has ${longest} characters in a line, ${path} has room for ${shape.context}`,
      )
    }
    return shape
  }
  const d_model = config.d_model ?? DEFAULT_SIZE.d_model
  const layers = config.layers ?? DEFAULT_SIZE.layers
  const heads = config.heads ?? DEFAULT_SIZE.heads
  if (d_model % heads !== 0)
    throw new UsageError(`d_model (${d_model}) must be a multiple of heads (${heads})`)
  return { vocabulary: tokenizer.size, context: longest, d_model, layers, heads }
}

function writeResults(
  outputDir: string,
  model: Model,
  tokenizer: Tokenizer,
  heldOut: Example[],
  step: number,
  evaluation: Evaluation,
): void {
  const samples = heldOut.slice(0, SAMPLES).map((example) => predict(model, tokenizer, example))
  for (const { question, answer, predicted } of samples.slice(0, 5)) {
    say(`${question}${predicted}${predicted === answer ? '' : ` (wrong: ${answer})`}`)
  }
  const results = { step, ...evaluation, eval_examples: heldOut.length, samples }
  writeAtomically(join(outputDir, 'model.safetensors'), encodeModel(model, tokenizer))
  writeAtomically(join(outputDir, 'eval_results.json'), `${JSON.stringify(results, null, 2)}\n`)
  say(`answered ${(100 * evaluation.eval_accuracy).toFixed(1)} % of ${heldOut.length} unseen questions right`)
}

/** Metrics go to stdout, one JSON object a line, for whoever draws the curves. */
function report(metrics: Record<string, number>): void {
  process.stdout.write(`${JSON.stringify(metrics)}\n`)
}

/** Words for people go to stderr. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

try {
  process.exitCode = await main()
} catch (error) {
  say(`train: ${error instanceof Error ? error.message : error}`)
  // parseArgs throws a TypeError with a code for an unknown flag: a usage error like ours.
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
  process.exitCode = isUsage ? 2 : 1
}
