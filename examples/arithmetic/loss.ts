import type { Batch } from './model.ts'

/** How well a batch was foretold. */
export interface Score {
  /** Sum of the negative log likelihood (nats) of all targets. */
  loss: number
  /** Number of targets. */
  targets: number
  /** Sequences whose every target was the most likely character: the answer decoded greedily. */
  exact: number
}

/**
 * Cross entropy over the positions that have a target. Overwrites the logits with the gradient of
 * the mean loss by them.
 */
export function crossEntropy(
  logits: Float32Array,
  { size, length, targets }: Batch,
  vocabulary: number,
): Score {
  let count = 0
  for (let row = 0; row < size * length; row++) if ((targets[row] ?? -1) >= 0) count++
  let loss = 0
  let exact = 0
  for (let sequence = 0; sequence < size; sequence++) {
    let right = true
    for (let row = sequence * length; row < (sequence + 1) * length; row++) {
      const at = row * vocabulary
      const target = targets[row] ?? -1
      if (target < 0) {
        logits.fill(0, at, at + vocabulary)
        continue
      }
      const wanted = logits[at + target] ?? 0
      let highest = -Infinity
      for (let j = at; j < at + vocabulary; j++) highest = Math.max(highest, logits[j] ?? 0)
      if (wanted < highest) right = false
      let total = 0
      for (let j = at; j < at + vocabulary; j++) total += Math.exp((logits[j] ?? 0) - highest)
      loss += highest + Math.log(total) - wanted
      for (let j = at; j < at + vocabulary; j++) {
        const probability = Math.exp((logits[j] ?? 0) - highest) / total
        logits[j] = (probability - (j === at + target ? 1 : 0)) / count
      }
    }
    if (right) exact++
  }
  return { loss, targets: count, exact }
}
