/** The value that `share` (0 to 1) of the values are not above: 0.5 for the median. @throws without values */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('There is nothing to take a percentile of.')
  return value
}

/** The median. @throws without values */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** How long `work` takes, in seconds. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** How long each of `count` runs of `work` takes, one after the other, in ms. */
export async function msOfEach(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < count; n++) times.push((await secondsOf(work)) * 1000)
  return times
}
