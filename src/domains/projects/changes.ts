import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { type JsonValue, parseInput } from '../input.ts'

/** One field of a project that a version changed. */
export interface FieldChange {
  field: string
  from: JsonValue
  to: JsonValue
}

/** The fields whose value differs, in the order of `after`; a field that `after` leaves out did not change. */
export function changesBetween(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): FieldChange[] {
  return Object.entries(after)
    .filter(([, to]) => to !== undefined)
    .map(([field, to]) => ({ field, from: toJson(before[field]), to: toJson(to) }))
    .filter(({ from, to }) => !isDeepStrictEqual(from, to))
}

/** The changes that a version stores. */
export function parseChanges(stored: unknown): FieldChange[] {
  return parseInput(StoredChanges, stored)
}

const StoredChanges = z.array(
  z.object({ field: z.string(), from: z.json().default(null), to: z.json().default(null) }),
)

function toJson(value: unknown): JsonValue {
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}
