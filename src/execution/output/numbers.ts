/** Long enough for any number that a program prints, and a bound for what is examined. */
const MAX_LENGTH = 48

const DECIMAL = /^[-+]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][-+]?\d{1,5})?$/
const GROUPED = /^[-+]?\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,20})?$/

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['-nan', Number.NaN],
  ['+nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['+infinity', Number.POSITIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
])

/**
 * The number that `text` is as a whole, in any way in which Python, C and JavaScript print one: `5e-05`, `nan`,
 * `-Infinity`, `1,048,576`. Null for everything else, '' and hexadecimal included.
 */
export function parseNumber(text: string): number | null {
  const trimmed = text.trim()
  if (trimmed.length === 0 || trimmed.length > MAX_LENGTH) return null
  if (DECIMAL.test(trimmed)) return Number(trimmed)
  if (GROUPED.test(trimmed)) return Number(trimmed.replaceAll(',', ''))
  return SPECIAL.get(trimmed.toLowerCase()) ?? null
}
