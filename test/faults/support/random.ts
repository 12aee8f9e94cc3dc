/** Numbers that a scenario draws: the same for the same seed, so that what one found can be played again. */
export interface Random {
  seed: number
  /** From 0 up to, but not including, `limit`. */
  below(limit: number): number
  /** A whole number, both ends included. */
  between(from: number, to: number): number
  /** Whether something that happens this often (0 to 1) happens now. */
  chance(probability: number): boolean
  pick<T>(choices: readonly [T, ...T[]]): T
}

/**
 * A source of numbers (mulberry32). `TRAINYARD_FAULTS_SEED` gives the seed that a failure printed;
 * otherwise each time is another one.
 */
export function createRandom(): Random {
  const seed = Number(process.env.TRAINYARD_FAULTS_SEED ?? Date.now() % 1_000_000)
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => next() * limit
  return {
    seed,
    below,
    between: (from, to) => from + Math.floor(below(to - from + 1)),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[Math.floor(below(choices.length))] ?? choices[0],
  }
}
