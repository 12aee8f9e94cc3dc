/** A width that telemetry is stored in: spans of that many ms, each kept for so long. */
export interface StoredWidth {
  ms: number
  keptMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Samples as they are: each is a span of its own. */
const SAMPLE: StoredWidth = { ms: 1, keptMs: 2 * HOUR }
/**
 * What comes later than this is not stored any more: the samples of its minute may be removed soon, and the minute
 * would then be made anew without them.
 */
export const LATEST_MS = SAMPLE.keptMs - 10 * MINUTE

/**
 * All widths, the finest first; each is a multiple of the one before. The last two are kept for `days`, none for
 * longer. Days are there for long times of many nodes.
 */
export function storedWidths(days: number): StoredWidth[] {
  const widths = [
    SAMPLE,
    { ms: MINUTE, keptMs: 2 * DAY },
    { ms: 15 * MINUTE, keptMs: 30 * DAY },
    { ms: 4 * HOUR, keptMs: days * DAY },
    { ms: DAY, keptMs: days * DAY },
  ]
  return widths.map(({ ms, keptMs }) => ({ ms, keptMs: Math.min(keptMs, days * DAY) }))
}

/** The start of the span of a width that a time lies in; times in epoch ms. */
export const startOf = (time: number, width: number) => Math.floor(time / width) * width
