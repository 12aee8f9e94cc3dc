import type { Parameters } from './parameters.ts'

const BETA1 = 0.9
const BETA2 = 0.99
const EPSILON = 1e-8

/** The state of AdamW: running means of the gradient and of its square, flat like the parameters. */
export interface AdamState {
  means: Float32Array
  squares: Float32Array
}

export function createAdamState(parameters: Parameters): AdamState {
  return {
    means: new Float32Array(parameters.values.length),
    squares: new Float32Array(parameters.values.length),
  }
}

/**
 * One step of AdamW.
 *
 * @param step the number of this step, from 1: Adam's first steps are corrected by it
 */
export function adamStep(
  parameters: Parameters,
  { means, squares }: AdamState,
  step: number,
  learningRate: number,
  weightDecay: number,
): void {
  const rate = learningRate / (1 - BETA1 ** step)
  const correction = 1 / (1 - BETA2 ** step)
  const { values, gradients } = parameters
  for (const { offset, values: own, decays } of parameters.list) {
    const keep = decays ? 1 - learningRate * weightDecay : 1
    for (let i = offset; i < offset + own.length; i++) {
      const gradient = gradients[i] ?? 0
      const mean = BETA1 * (means[i] ?? 0) + (1 - BETA1) * gradient
      const square = BETA2 * (squares[i] ?? 0) + (1 - BETA2) * gradient * gradient
      means[i] = mean
      squares[i] = square
      values[i] = keep * (values[i] ?? 0) - (rate * mean) / (Math.sqrt(square * correction) + EPSILON)
    }
  }
}

/** Scales the gradients down to a norm of at most `limit`; returns the norm they had. */
export function clipGradients(gradients: Float32Array, limit: number): number {
  let sum = 0
  for (let i = 0; i < gradients.length; i++) sum += (gradients[i] ?? 0) ** 2
  const norm = Math.sqrt(sum)
  if (norm > limit) {
    const factor = limit / norm
    for (let i = 0; i < gradients.length; i++) gradients[i] = (gradients[i] ?? 0) * factor
  }
  return norm
}

/** The part of a config that `learningRateAt` reads. */
export interface Schedule {
  learning_rate: number
  warmup_steps: number
  max_steps: number
}

/** Rises in a straight line during the warm-up, then falls along half a cosine to a tenth. */
export function learningRateAt(step: number, schedule: Schedule): number {
  const { learning_rate, warmup_steps, max_steps } = schedule
  if (step < warmup_steps) return (learning_rate * step) / warmup_steps
  const progress = Math.min(1, (step - warmup_steps) / Math.max(1, max_steps - warmup_steps))
  return learning_rate * (0.1 + 0.45 * (1 + Math.cos(Math.PI * progress)))
}
