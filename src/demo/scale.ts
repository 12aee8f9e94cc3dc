/** Says where values stand on an axis. */
export interface Scale {
  kind: 'linear' | 'logarithmic'
  min: number
  max: number
  /** 0 at the smallest value, 1 at the largest. */
  place(value: number): number
}

/** A label on an axis, and its place from 0 to 1. */
export interface AxisLabel {
  at: number
  text: string
}

/** The scale that shows these values; on a logarithmic one they must be above zero. */
export function scaleOf(values: readonly number[], kind: Scale['kind']): Scale {
  const min = values.reduce((a, b) => Math.min(a, b))
  const max = values.reduce((a, b) => Math.max(a, b))
  const measure = kind === 'linear' ? (value: number) => value : Math.log10
  const [low, high] = [measure(min), measure(max)]
  return {
    kind,
    min,
    max,
    // All values alike are a line in the middle.
    place: (value) => (high === low ? 0.5 : (measure(value) - low) / (high - low)),
  }
}

/** Round numbers along an axis, from its lower end, at most about `most`. */
export function axisLabels(scale: Scale, most: number): AxisLabel[] {
  return (scale.kind === 'linear' ? roundNumbers(scale, most) : powers(scale, most)).map((value) => ({
    at: scale.place(value),
    text: String(Number(value.toPrecision(6))),
  }))
}

function roundNumbers({ min, max }: Scale, most: number): number[] {
  if (max === min) return [min]
  const least = (max - min) / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least) ?? least
  const first = Math.ceil(min / step)
  return Array.from({ length: Math.floor(max / step) - first + 1 }, (_, index) => (first + index) * step)
}

/** Powers of ten, with their halves and fifths where there is room; the ends where neither lies between. */
function powers({ min, max }: Scale, most: number): number[] {
  const decades = Math.log10(max) - Math.log10(min)
  const factors = decades * 3 <= most / 2 ? [1, 2, 5] : [1]
  const first = Math.floor(Math.log10(min))
  const candidates = Array.from({ length: Math.ceil(decades) + 2 }, (_, index) =>
    factors.map((factor) => factor * 10 ** (first + index)),
  ).flat()
  const inside = candidates.filter((value) => value >= min && value <= max)
  return inside.length > 1 ? inside : min === max ? [min] : [min, max]
}
