import { setImmediate } from 'node:timers/promises'
import type { Progress } from './checkpoint.ts'
import type { Config } from './config.ts'
import { createOrder, type Example, encodeBatch, type Split } from './dataset.ts'
import { type Evaluation, evaluate } from './evaluate.ts'
import type { Model } from './model.ts'
import { type AdamState, adamStep, clipGradients, learningRateAt } from './optimizer.ts'
import type { Tokenizer } from './tokenizer.ts'

export interface TrainerDeps {
  config: Config
  model: Model
  tokenizer: Tokenizer
  adam: AdamState
  split: Split
  /** Prints one line of metrics. */
  report(metrics: Record<string, number>): void
  /** Keeps a checkpoint of where the training stands. */
  save(progress: Progress): void
  /** Asked between steps: true ends the training early. */
  isStopping(): boolean
}

/** How the training ended; `evaluation` is there if it was made at the last step. */
export interface Outcome {
  progress: Progress
  evaluation?: Evaluation
}

/**
 * Trains from `start` to `max_steps`, or until it is told to stop. Whatever ends it, the last step
 * has its checkpoint.
 *
 * @throws if the loss is no longer a number
 */
export async function runTraining(deps: TrainerDeps, start: Progress): Promise<Outcome> {
  const { config, model, tokenizer, split, report } = deps
  const { max_steps, batch_size } = config
  const order = createOrder(split.train, config.seed)
  const progress = { ...start }
  let saved = start.step
  let evaluation: Evaluation | undefined
  let tokens = 0
  let clock = performance.now()

  while (progress.step < max_steps && !deps.isStopping()) {
    const examples = order.take(progress.examples_seen, batch_size)
    const { loss, gradNorm, learningRate } = trainStep(deps, examples, progress.step + 1)
    progress.step++
    progress.examples_seen += batch_size
    progress.loss_sum += loss
    progress.loss_count++
    tokens += examples.reduce((sum, { question, answer }) => sum + question.length + answer.length, 0)
    const { step } = progress
    evaluation = undefined

    if (step === 1 || step === max_steps || step % config.logging_steps === 0) {
      const now = performance.now()
      report({
        step,
        max_steps,
        epoch: rounded(progress.examples_seen / split.train.length),
        loss: rounded(progress.loss_sum / progress.loss_count),
        learning_rate: rounded(learningRate),
        grad_norm: rounded(gradNorm),
        tokens_per_second: Math.round((tokens / (now - clock)) * 1000),
      })
      Object.assign(progress, { loss_sum: 0, loss_count: 0 })
      tokens = 0
      clock = now
    }
    if (step % config.eval_steps === 0) {
      const before = performance.now()
      evaluation = evaluate(model, tokenizer, split.heldOut)
      reportEvaluation(report, step, evaluation)
      clock += performance.now() - before
    }
    if (step % config.save_steps === 0) {
      deps.save(progress)
      saved = step
    }
    // Steps do not wait for anything; this lets a signal through.
    await setImmediate()
  }
  if (progress.step > saved) deps.save(progress)
  return { progress, evaluation }
}

/** Prints an evaluation as a line of metrics. */
export function reportEvaluation(report: TrainerDeps['report'], step: number, evaluation: Evaluation): void {
  const { eval_loss, eval_accuracy } = evaluation
  report({ step, eval_loss: rounded(eval_loss), eval_accuracy: rounded(eval_accuracy) })
}

function trainStep({ config, model, tokenizer, adam }: TrainerDeps, examples: Example[], step: number) {
  const score = model.scoreAndDifferentiate(encodeBatch(examples, tokenizer))
  const loss = score.loss / score.targets
  if (!Number.isFinite(loss)) {
    throw new Error(`the loss is ${loss} at step ${step}: try a lower learning_rate`)
  }
  const learningRate = learningRateAt(step, config)
  const gradNorm = clipGradients(model.parameters.gradients, config.max_grad_norm)
  adamStep(model.parameters, adam, step, learningRate, config.weight_decay)
  return { loss, gradNorm, learningRate }
}

/** Five significant digits are enough for a curve. */
function rounded(value: number): number {
  return Number(value.toPrecision(5))
}
