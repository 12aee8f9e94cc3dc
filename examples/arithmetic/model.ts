import { type AttentionLayout, attention, attentionBackward } from './attention.ts'
import {
  linear,
  linearBackward,
  rmsNorm,
  rmsNormBackward,
  type Scratch,
  silu,
  siluBackward,
  type Weight,
} from './layers.ts'
import { crossEntropy, type Score } from './loss.ts'
import { addScaled } from './matrix.ts'
import { createParameters, type ParameterSpec, type Parameters } from './parameters.ts'
import type { Random } from './random.ts'

/** What fixes the size of every weight matrix: it cannot change after the first step. */
export interface ModelShape {
  /** Number of characters the model knows, the end mark among them. */
  vocabulary: number
  /** Longest sequence, in characters. */
  context: number
  d_model: number
  layers: number
  heads: number
}

/** `size` sequences of `length` characters, padded at the end. */
interface Sequences {
  size: number
  length: number
  inputs: Int32Array
}

/** Sequences to learn from, or to be examined with. */
export interface Batch extends Sequences {
  /** The next character of each position; -1 where none is asked for. */
  targets: Int32Array
}

export interface Model {
  shape: ModelShape
  parameters: Parameters
  /** Runs the batch forward: how well the targets were foretold. */
  score(batch: Batch): Score
  /** The same, and leaves the gradient of the mean loss in `parameters.gradients`. */
  scoreAndDifferentiate(batch: Batch): Score
  /** The most likely next character at the last position of one sequence. */
  next(sequence: Int32Array): number
}

/** The feed-forward layer is this many times wider than the model. */
const EXPANSION = 4

/**
 * A decoder-only transformer: learned positions, pre-normalisation with RMSNorm, causal attention,
 * a SiLU feed-forward layer, and no biases.
 */
export function createModel(shape: ModelShape, random: Random): Model {
  const { vocabulary, context, d_model: width, heads } = shape
  const hidden = EXPANSION * width
  const parameters = createParameters(parameterSpecs(shape), random)
  const blocks = Array.from({ length: shape.layers }, (_, i) => blockWeights(parameters, i))
  const tokens = parameters.get('tokens.weight')
  const positions = parameters.get('positions.weight')
  const finalNorm = parameters.get('norm.weight')
  const head = parameters.get('head.weight')
  let buffers = allocate(shape, 1, 1)

  function forward(batch: Sequences): void {
    const rows = batch.size * batch.length
    if (rows > buffers.rows || batch.length > buffers.length) {
      buffers = allocate(shape, Math.max(rows, buffers.rows), Math.max(batch.length, buffers.length))
    }
    const { x, normed, scales, logits } = buffers
    const layout: AttentionLayout = { size: batch.size, length: batch.length, width, heads }
    embed(batch, buffers.blocks[0]?.x ?? x)
    blocks.forEach((block, i) => {
      const own = buffers.blocks[i]
      if (!own) throw new Error('a layer has no buffers')
      rmsNorm(own.x, block.norm1, own.normed1, own.scales1, rows, width)
      linear(own.normed1, block.qkv, own.qkv, rows, width, 3 * width)
      attention(own.qkv, own.weights, own.attended, layout)
      linear(own.attended, block.out, own.middle, rows, width, width)
      addScaled(1, own.x, 0, own.middle, 0, rows * width)
      rmsNorm(own.middle, block.norm2, own.normed2, own.scales2, rows, width)
      linear(own.normed2, block.up, own.hidden, rows, width, hidden)
      silu(own.hidden, own.active, rows * hidden)
      const after = buffers.blocks[i + 1]?.x ?? x
      linear(own.active, block.down, after, rows, hidden, width)
      addScaled(1, own.middle, 0, after, 0, rows * width)
    })
    rmsNorm(x, finalNorm, normed, scales, rows, width)
    linear(normed, head, logits, rows, width, vocabulary)
  }

  function backward(batch: Sequences): void {
    const rows = batch.size * batch.length
    const { x, normed, scales, logits, dx, dnarrow, dwide, scratch } = buffers
    const layout: AttentionLayout = { size: batch.size, length: batch.length, width, heads }
    parameters.gradients.fill(0)
    // crossEntropy has turned the logits into their own gradient.
    linearBackward(normed, head, logits, dnarrow, rows, width, vocabulary, scratch)
    dx.fill(0, 0, rows * width)
    rmsNormBackward(x, finalNorm, scales, dnarrow, dx, rows, width)
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i]
      const own = buffers.blocks[i]
      if (!block || !own) throw new Error('a layer has no buffers')
      linearBackward(own.active, block.down, dx, dwide, rows, hidden, width, scratch)
      siluBackward(own.hidden, dwide, rows * hidden)
      linearBackward(own.normed2, block.up, dwide, dnarrow, rows, width, hidden, scratch)
      rmsNormBackward(own.middle, block.norm2, own.scales2, dnarrow, dx, rows, width)
      linearBackward(own.attended, block.out, dx, dnarrow, rows, width, width, scratch)
      attentionBackward(own.qkv, own.weights, dnarrow, dwide, layout)
      linearBackward(own.normed1, block.qkv, dwide, dnarrow, rows, width, 3 * width, scratch)
      rmsNormBackward(own.x, block.norm1, own.scales1, dnarrow, dx, rows, width)
    }
    embedBackward(batch, dx)
  }

  function embed(batch: Sequences, out: Float32Array): void {
    out.fill(0, 0, batch.size * batch.length * width)
    for (let row = 0; row < batch.size * batch.length; row++) {
      addScaled(1, tokens.values, (batch.inputs[row] ?? 0) * width, out, row * width, width)
      addScaled(1, positions.values, (row % batch.length) * width, out, row * width, width)
    }
  }

  function embedBackward(batch: Sequences, dx: Float32Array): void {
    for (let row = 0; row < batch.size * batch.length; row++) {
      addScaled(1, dx, row * width, tokens.gradients, (batch.inputs[row] ?? 0) * width, width)
      addScaled(1, dx, row * width, positions.gradients, (row % batch.length) * width, width)
    }
  }

  return {
    shape,
    parameters,
    score(batch) {
      forward(batch)
      return crossEntropy(buffers.logits, batch, vocabulary)
    },
    scoreAndDifferentiate(batch) {
      forward(batch)
      const score = crossEntropy(buffers.logits, batch, vocabulary)
      backward(batch)
      return score
    },
    next(sequence) {
      if (sequence.length > context) throw new Error('the sequence is longer than the context')
      forward({ size: 1, length: sequence.length, inputs: sequence })
      const last = (sequence.length - 1) * vocabulary
      const logits = buffers.logits.subarray(last, last + vocabulary)
      return logits.indexOf(Math.max(...logits))
    },
  }
}

interface BlockWeights {
  norm1: Weight
  qkv: Weight
  out: Weight
  norm2: Weight
  up: Weight
  down: Weight
}

function parameterSpecs({ vocabulary, context, d_model: width, layers }: ModelShape): ParameterSpec[] {
  const hidden = EXPANSION * width
  const matrix = (name: string, outputs: number, inputs: number, gain = 1): ParameterSpec => ({
    name,
    shape: [outputs, inputs],
    initial: gain / Math.sqrt(inputs),
    decays: true,
  })
  const ones = (name: string): ParameterSpec => ({ name, shape: [width], initial: 'ones', decays: false })
  const embedding = (name: string, count: number): ParameterSpec => ({
    name,
    shape: [count, width],
    initial: 0.3,
    decays: false,
  })
  // Each layer adds to the residual stream twice; this keeps the sum's size independent of depth.
  const residual = 1 / Math.sqrt(2 * layers)
  const block = (i: number): ParameterSpec[] => [
    ones(`blocks.${i}.norm1.weight`),
    matrix(`blocks.${i}.attention.qkv.weight`, 3 * width, width),
    matrix(`blocks.${i}.attention.out.weight`, width, width, residual),
    ones(`blocks.${i}.norm2.weight`),
    matrix(`blocks.${i}.mlp.up.weight`, hidden, width),
    matrix(`blocks.${i}.mlp.down.weight`, width, hidden, residual),
  ]
  return [
    embedding('tokens.weight', vocabulary),
    embedding('positions.weight', context),
    ...Array.from({ length: layers }, (_, i) => block(i)).flat(),
    ones('norm.weight'),
    // Small, so that training begins with even odds for every character.
    matrix('head.weight', vocabulary, width, 0.1),
  ]
}

function blockWeights(parameters: Parameters, i: number): BlockWeights {
  return {
    norm1: parameters.get(`blocks.${i}.norm1.weight`),
    qkv: parameters.get(`blocks.${i}.attention.qkv.weight`),
    out: parameters.get(`blocks.${i}.attention.out.weight`),
    norm2: parameters.get(`blocks.${i}.norm2.weight`),
    up: parameters.get(`blocks.${i}.mlp.up.weight`),
    down: parameters.get(`blocks.${i}.mlp.down.weight`),
  }
}

/** What the forward pass leaves for the backward pass; allocated once and used by every step. */
function allocate({ vocabulary, d_model: width, layers, heads }: ModelShape, rows: number, length: number) {
  const hidden = EXPANSION * width
  const widest = Math.max(hidden, 3 * width, vocabulary)
  const floats = (columns: number) => new Float32Array(rows * columns)
  return {
    rows,
    length,
    blocks: Array.from({ length: layers }, () => ({
      x: floats(width),
      normed1: floats(width),
      scales1: floats(1),
      qkv: floats(3 * width),
      weights: floats(heads * length),
      attended: floats(width),
      middle: floats(width),
      normed2: floats(width),
      scales2: floats(1),
      hidden: floats(hidden),
      active: floats(hidden),
    })),
    x: floats(width),
    normed: floats(width),
    scales: floats(1),
    logits: floats(vocabulary),
    dx: floats(width),
    dnarrow: floats(width),
    dwide: floats(widest),
    scratch: {
      weight: new Float32Array(widest * widest),
      inputs: floats(widest),
      outputs: floats(widest),
    } satisfies Scratch,
  }
}
