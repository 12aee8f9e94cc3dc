/** Variables without their files, and the files by their paths, such as `variables.input.file`. */
export interface TakenFiles {
  rest: unknown
  files: Map<string, Blob>
}

/** Takes the files out of the variables of an operation, leaving null in their places. */
export function takeFiles(value: unknown, path: string): TakenFiles {
  const files = new Map<string, Blob>()
  return { rest: take(value, path), files }

  function take(part: unknown, at: string): unknown {
    if (part instanceof Blob) {
      files.set(at, part)
      return null
    }
    if (Array.isArray(part)) return part.map((item, index) => take(item, `${at}.${index}`))
    if (typeof part !== 'object' || part === null || 'toJSON' in part) return part
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, take(item, `${at}.${key}`)]))
  }
}
