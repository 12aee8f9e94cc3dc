/** The metrics of one line that had no step of its own, and the step that a bar gave them. */
export interface BorrowedStep {
  readonly keys: readonly string[]
  step: number
}

/** Corrects the steps that lines borrow from a progress bar; see {@link createStepSettler}. */
export interface StepSettler {
  /** Sets the steps of the lines that arrived together, in order. */
  settle(lines: readonly BorrowedStep[]): void
}

/**
 * Gives lines that borrowed their step from a progress bar the steps they most likely belong to.
 *
 * The bar is on stderr and the lines are on stdout, so it is not known which came first: the bar may be a
 * little ahead of a line, or behind it, and several lines may arrive with one state of the bar. A key that
 * comes again says that a step has passed. A training logs at regular intervals: once an interval has been
 * seen twice in a row, steps that are off by little are put where they are due; where there is none,
 * lines that arrived together are spread evenly.
 */
export function createStepSettler(): StepSettler {
  let last: { step: number; keys: Set<string> } | null = null
  let interval: number | null = null
  let difference: number | null = null

  function advance(step: number) {
    if (last && step > last.step) {
      if (step - last.step === difference) interval = difference
      difference = step - last.step
    }
  }

  return {
    settle(lines) {
      const bar = lines.at(-1)?.step
      if (bar === undefined) return
      const { same, rounds } = toRounds(lines, bar, last)
      for (const line of same) if (last) line.step = last.step
      const steps = dueSteps(rounds.length, bar, last?.step ?? null, interval)
      rounds.forEach((round, index) => {
        const step = steps[index] ?? bar
        for (const line of round) line.step = step
        advance(step)
        last = { step, keys: new Set(round.flatMap((line) => line.keys)) }
      })
    },
  }
}

/** The lines by the step they belong to; `same` are those that belong to the last one known. */
function toRounds(
  lines: readonly BorrowedStep[],
  bar: number,
  last: { step: number; keys: Set<string> } | null,
): { same: BorrowedStep[]; rounds: BorrowedStep[][] } {
  const same: BorrowedStep[] = []
  const rounds: BorrowedStep[][] = []
  let seen = new Set(last?.step === bar ? last.keys : [])
  for (const line of lines) {
    const again = line.keys.some((key) => seen.has(key))
    if (rounds.length === 0 && last?.step === bar && !again) {
      same.push(line)
      for (const key of line.keys) last.keys.add(key)
    } else {
      if (rounds.length === 0 || again) {
        rounds.push([])
        seen = new Set()
      }
      rounds.at(-1)?.push(line)
    }
    for (const key of line.keys) seen.add(key)
  }
  return { same, rounds }
}

function dueSteps(count: number, bar: number, before: number | null, interval: number | null): number[] {
  const at = (position: (index: number) => number) =>
    Array.from({ length: count }, (_, index) => position(index + 1))
  if (before === null || before > bar + 1) return at((n) => Math.max(0, bar - count) + n)
  if (interval !== null) {
    const due = before + count * interval
    if (Math.abs(bar - due) <= Math.max(1, Math.floor(interval / 4))) return at((n) => before + n * interval)
  }
  // A key that came again means at least a step, even if the bar does not show it yet.
  const end = Math.max(bar, before + count)
  return at((n) => before + Math.round(((end - before) * n) / count))
}
