// The layers of the model without state: each has a forward pass and a backward pass, which takes
// the gradient of the loss by its output and gives the gradients by its inputs and weights.
import { dot, multiplyTransposed, transpose } from './matrix.ts'

/** Keeps the mean square of a row of zeros from dividing by zero. */
const EPSILON = 1e-5

/** A weight matrix, stored outputs × inputs, with the place where its gradient is summed. */
export interface Weight {
  values: Float32Array
  gradients: Float32Array
}

/** Room for the transposed operands of `linearBackward`, shared by all layers. */
export interface Scratch {
  weight: Float32Array
  inputs: Float32Array
  outputs: Float32Array
}

/** y = x · wᵀ for each row. */
export function linear(
  x: Float32Array,
  weight: Weight,
  y: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
): void {
  multiplyTransposed(x, weight.values, y, rows, outputs, inputs)
}

/** Writes the gradient by x to dx, and adds the gradient by the weight to it. */
export function linearBackward(
  x: Float32Array,
  weight: Weight,
  dy: Float32Array,
  dx: Float32Array,
  rows: number,
  inputs: number,
  outputs: number,
  scratch: Scratch,
): void {
  transpose(weight.values, scratch.weight, outputs, inputs)
  multiplyTransposed(dy, scratch.weight, dx, rows, inputs, outputs)
  transpose(dy, scratch.outputs, rows, outputs)
  transpose(x, scratch.inputs, rows, inputs)
  multiplyTransposed(scratch.outputs, scratch.inputs, weight.gradients, outputs, inputs, rows, true)
}

/** Scales each row to a mean square of one, then by `gain`; keeps each row's scale in `scales`. */
export function rmsNorm(
  x: Float32Array,
  gain: Weight,
  y: Float32Array,
  scales: Float32Array,
  rows: number,
  width: number,
): void {
  for (let i = 0; i < rows; i++) {
    const at = i * width
    const scale = 1 / Math.sqrt(dot(x, at, x, at, width) / width + EPSILON)
    scales[i] = scale
    for (let j = 0; j < width; j++) y[at + j] = (x[at + j] ?? 0) * scale * (gain.values[j] ?? 0)
  }
}

/** Adds the gradient by x to dx (the residual path is already in it), and that by the gain. */
export function rmsNormBackward(
  x: Float32Array,
  gain: Weight,
  scales: Float32Array,
  dy: Float32Array,
  dx: Float32Array,
  rows: number,
  width: number,
): void {
  for (let i = 0; i < rows; i++) {
    const at = i * width
    const scale = scales[i] ?? 0
    let shared = 0
    for (let j = 0; j < width; j++) {
      const product = (dy[at + j] ?? 0) * (x[at + j] ?? 0)
      shared += product * (gain.values[j] ?? 0)
      gain.gradients[j] = (gain.gradients[j] ?? 0) + product * scale
    }
    const pull = (shared * scale * scale * scale) / width
    for (let j = 0; j < width; j++) {
      const direct = (dy[at + j] ?? 0) * (gain.values[j] ?? 0) * scale
      dx[at + j] = (dx[at + j] ?? 0) + direct - pull * (x[at + j] ?? 0)
    }
  }
}

/** The activation of the feed-forward layer, SiLU: x · sigmoid(x). */
export function silu(x: Float32Array, y: Float32Array, length: number): void {
  for (let i = 0; i < length; i++) {
    const value = x[i] ?? 0
    y[i] = value / (1 + Math.exp(-value))
  }
}

/** Turns the gradient by the activation's output, in `d`, into the gradient by its input. */
export function siluBackward(x: Float32Array, d: Float32Array, length: number): void {
  for (let i = 0; i < length; i++) {
    const value = x[i] ?? 0
    const sigmoid = 1 / (1 + Math.exp(-value))
    d[i] = (d[i] ?? 0) * sigmoid * (1 + value * (1 - sigmoid))
  }
}
