import { parseNumber } from './numbers.ts'
import { addToReading, emptyReading, isEmpty, type Reading } from './reading.ts'

/** Deeper parts of a record are left out; nobody names a metric with more parts. */
export const MAX_DEPTH = 8

/** A value as a JSON object or a Python dict holds it. */
export type RecordValue =
  | number
  | string
  | boolean
  | null
  | undefined
  | RecordValue[]
  | { [key: string]: RecordValue }

/**
 * What an object says that a script printed as JSON or as a Python dict: its numbers (quoted ones too), with the
 * keys of nested objects joined by `/`. Null where it is no report of a training: a log record, or a dump of
 * settings, has texts and switches beside its numbers and neither a step nor a metric of a training.
 */
export function readRecord(record: { [key: string]: RecordValue }): Reading | null {
  const reading = emptyReading()
  let others = 0

  const visit = (object: { [key: string]: RecordValue }, prefix: string, depth: number): void => {
    for (const [name, value] of Object.entries(object)) {
      const key = prefix + name
      if (typeof value === 'object' && value !== null) {
        if (Array.isArray(value)) others++
        else if (depth < MAX_DEPTH) visit(value, `${key}/`, depth + 1)
        continue
      }
      const number = typeof value === 'number' ? value : typeof value === 'string' ? parseNumber(value) : null
      if (number === null) others++
      else addToReading(reading, key, number)
    }
  }
  visit(record, '', 1)

  if (others > 0 && !reading.hasOutcome && reading.step === undefined) {
    reading.metrics.clear()
    reading.epoch = undefined
  }
  return isEmpty(reading) ? null : reading
}
