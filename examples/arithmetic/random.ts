/** A seeded source of numbers in [0, 1). */
export type Random = () => number

/**
 * The mulberry32 generator: 32 bits of state, which is plenty for shuffles and initial weights.
 * The same seeds give the same numbers on every machine.
 */
export function createRandom(...seeds: number[]): Random {
  let state = 0
  for (const seed of seeds) state = scramble(state + Math.floor(seed))
  return () => {
    state = (state + 0x6d2b79f5) | 0
    return scramble(state) / 2 ** 32
  }
}

/** Fills `out` with normally distributed numbers (Box-Muller). */
export function fillNormal(out: Float32Array, deviation: number, random: Random): void {
  for (let i = 0; i < out.length; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    out[i] = deviation * radius * Math.cos(2 * Math.PI * random())
  }
}

/** The numbers 0 to length - 1 in random order (Fisher-Yates). */
export function permutation(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const kept = order[i] ?? 0
    order[i] = order[j] ?? 0
    order[j] = kept
  }
  return order
}

function scramble(state: number): number {
  let t = state
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return (t ^ (t >>> 14)) >>> 0
}
