/** The metrics of one line that had no step of its own, and the step that a bar gave them. */
export interface BorrowedStep {
  readonly keys: readonly string[]
  step: number
}

/**
 * Gives lines that borrowed their step from a progress bar the steps they most likely belong to.
 *
 * The bar is on stderr and the lines are on stdout, so of what arrived together only the last state of the
 * bar is known: all the lines have its step. A key that comes again says that there were several steps;
 * these are spread evenly between the last one known and the bar's, which is exact for a training that
 * logs at every step.
 *
 * @param lines what arrived together, in order; their steps are set
 * @param before the last step that such a line had earlier, or null for none
 */
export function spreadSteps(lines: readonly BorrowedStep[], before: number | null): void {
  const rounds: BorrowedStep[][] = []
  const seen = new Set<string>()
  for (const line of lines) {
    if (rounds.length === 0 || line.keys.some((key) => seen.has(key))) {
      rounds.push([])
      seen.clear()
    }
    rounds.at(-1)?.push(line)
    for (const key of line.keys) seen.add(key)
  }
  const last = lines.at(-1)?.step ?? 0
  const first = before === null || before > last ? Math.max(0, last - rounds.length) : before
  rounds.forEach((round, index) => {
    const step = first + Math.round(((last - first) * (index + 1)) / rounds.length)
    for (const line of round) line.step = step
  })
}
