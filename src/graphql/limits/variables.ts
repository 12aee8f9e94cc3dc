import type { GraphQLError } from 'graphql'
import { tooComplex } from './too-complex.ts'

/** Lists and objects within each other; what reads variables calls itself for each. */
const MAX_NESTING = 50
/** Elements of one list: as many as a report of points or lines may have. */
const MAX_ELEMENTS = 10_000
/** Lists, objects and what is in them, all together: a full report of points has 40,000, one of lines 50,000. */
const MAX_VALUES = 250_000

/** What there is too much of in the variables of an operation; null when they can be read without harm. */
export function findExcessiveVariables(variables: unknown): GraphQLError | null {
  let level: unknown[] = [variables]
  let values = 0
  for (let nesting = 0; level.length > 0; nesting++) {
    if (nesting > MAX_NESTING) return tooComplex('levels of variables', MAX_NESTING, nesting)
    const next: unknown[] = []
    for (const value of level) {
      const parts = partsOf(value)
      if (Array.isArray(value) && parts.length > MAX_ELEMENTS) {
        return tooComplex('elements of a list in the variables', MAX_ELEMENTS, parts.length)
      }
      values += parts.length
      if (values > MAX_VALUES) return tooComplex('values in the variables', MAX_VALUES, values)
      for (const part of parts) if (typeof part === 'object' && part !== null) next.push(part)
    }
    level = next
  }
  return null
}

/** What is in a list or an object that came as JSON; nothing for a file, which stands among them too. */
function partsOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null) return []
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? Object.values(value) : []
}
