import { z } from 'zod'
import { ValidationError } from '../errors.ts'

/** A JSON object, such as hyperparameters. */
export type JsonObject = { [key: string]: JsonValue }
/** Anything JSON can say. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject

/**
 * Checks an input against what the service accepts.
 *
 * @throws ValidationError with one issue for each thing that is wrong
 */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new ValidationError(
    parsed.error.issues.map((issue) => ({ path: issue.path.map(String), message: issue.message })),
  )
}

/** A name that people type and that appears in paths and addresses. */
export const NameInput = z
  .string()
  .trim()
  .min(1, 'Must not be empty.')
  .max(200, 'Must have at most 200 characters.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'Must not contain control characters.')

/** Text that may become an argument or a path of a process, which end at a NUL. */
const WithoutNul = z.string().refine((text) => !text.includes('\0'), 'Must not contain NUL.')

/** Free text, such as a description, or the model that a command is given. */
export const TextInput = WithoutNul.max(20_000, 'Must have at most 20,000 characters.')

/** An absolute path that commands start in. */
export const WorkingDirectoryInput = WithoutNul.startsWith('/', 'Must be an absolute path.')

/** A key that means a prototype to JavaScript: harmless here, but a trap for programs that copy objects. */
export const UNSAFE_KEY = '__proto__'

const AnyJsonObject = z.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'Must be a JSON object.',
)

/** A JSON object; anything else is refused, and so is `__proto__` at any depth. */
export const JsonObjectInput = AnyJsonObject.refine(
  (value) => !hasUnsafeKey(value),
  `Must not have the key ${UNSAFE_KEY}.`,
)

/** Looks without recursion: how deep a value is nested is for others to limit. */
function hasUnsafeKey(value: JsonValue): boolean {
  const left: unknown[] = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next !== 'object' || next === null) continue
    if (Object.hasOwn(next, UNSAFE_KEY)) return true
    for (const part of Object.values(next)) left.push(part)
  }
  return false
}

/** `overrides` laid over `base`: objects are merged, everything else is replaced. */
export function mergeObjects(base: JsonObject, overrides: JsonObject): JsonObject {
  const merged: JsonObject = { ...base }
  for (const [key, value] of Object.entries(overrides)) {
    const before = Object.hasOwn(merged, key) ? merged[key] : undefined
    const both = isObject(before) && isObject(value)
    Object.defineProperty(merged, key, {
      value: both ? mergeObjects(before, value) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return merged
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A JSON column as the object that was stored in it. */
export function storedObject(value: unknown): JsonObject {
  return parseInput(AnyJsonObject, value)
}

/** A JSON column as the list of strings that was stored in it. */
export function storedStrings(value: unknown): string[] {
  return parseInput(z.array(z.string()), value)
}
