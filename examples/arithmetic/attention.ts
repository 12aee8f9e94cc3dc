import { addScaled, dot } from './matrix.ts'

/** How a batch of sequences lies in memory: size × length rows of `width` numbers, split by heads. */
export interface AttentionLayout {
  size: number
  length: number
  width: number
  heads: number
}

/**
 * Causal self-attention. `qkv` holds query, key and value side by side in each row (3 × width);
 * `weights` keeps how much each position looks at each earlier one, for the backward pass.
 */
export function attention(
  qkv: Float32Array,
  weights: Float32Array,
  out: Float32Array,
  { size, length, width, heads }: AttentionLayout,
): void {
  const depth = width / heads
  const scale = 1 / Math.sqrt(depth)
  out.fill(0, 0, size * length * width)
  for (let sequence = 0; sequence < size; sequence++) {
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < length; i++) {
        const row = sequence * length + i
        const query = row * 3 * width + head * depth
        const look = ((sequence * heads + head) * length + i) * length
        let highest = -Infinity
        for (let j = 0; j <= i; j++) {
          const key = (sequence * length + j) * 3 * width + width + head * depth
          const score = dot(qkv, query, qkv, key, depth) * scale
          weights[look + j] = score
          if (score > highest) highest = score
        }
        let total = 0
        for (let j = 0; j <= i; j++) {
          const weight = Math.exp((weights[look + j] ?? 0) - highest)
          weights[look + j] = weight
          total += weight
        }
        for (let j = 0; j <= i; j++) {
          const weight = (weights[look + j] ?? 0) / total
          weights[look + j] = weight
          const value = (sequence * length + j) * 3 * width + 2 * width + head * depth
          addScaled(weight, qkv, value, out, row * width + head * depth, depth)
        }
      }
    }
  }
}

/** Writes the gradient by query, key and value to `dqkv`. */
export function attentionBackward(
  qkv: Float32Array,
  weights: Float32Array,
  dout: Float32Array,
  dqkv: Float32Array,
  { size, length, width, heads }: AttentionLayout,
): void {
  const depth = width / heads
  const scale = 1 / Math.sqrt(depth)
  const dweights = new Float32Array(length)
  dqkv.fill(0, 0, size * length * 3 * width)
  for (let sequence = 0; sequence < size; sequence++) {
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < length; i++) {
        const row = sequence * length + i
        const query = row * 3 * width + head * depth
        const look = ((sequence * heads + head) * length + i) * length
        const from = row * width + head * depth
        let shared = 0
        for (let j = 0; j <= i; j++) {
          const value = (sequence * length + j) * 3 * width + 2 * width + head * depth
          const weight = weights[look + j] ?? 0
          const dweight = dot(dout, from, qkv, value, depth)
          dweights[j] = dweight
          shared += weight * dweight
          addScaled(weight, dout, from, dqkv, value, depth)
        }
        for (let j = 0; j <= i; j++) {
          const key = (sequence * length + j) * 3 * width + width + head * depth
          const dscore = (weights[look + j] ?? 0) * ((dweights[j] ?? 0) - shared) * scale
          addScaled(dscore, qkv, key, dqkv, query, depth)
          addScaled(dscore, qkv, query, dqkv, key, depth)
        }
      }
    }
  }
}
