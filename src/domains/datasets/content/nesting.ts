/** How deep arrays and objects may be nested: readers in other languages give up not far beyond. */
export const MAX_NESTING = 512

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const BRACE = 0x7b
const CLOSING_BRACE = 0x7d

/**
 * Follows how deep valid JSON text is nested, chunk by chunk. Returns the index in the chunk of the
 * bracket that goes past MAX_NESTING, or -1. Knows strings, and nothing else of the syntax.
 */
export function createNestingGuard(): (chunk: string) => number {
  let depth = 0
  let inString = false
  let escaped = false

  return (chunk) => {
    for (let index = 0; index < chunk.length; index++) {
      const character = chunk.charCodeAt(index)
      if (inString) {
        if (escaped) escaped = false
        else if (character === BACKSLASH) escaped = true
        else if (character === QUOTE) inString = false
      } else if (character === QUOTE) {
        inString = true
      } else if (character === BRACKET || character === BRACE) {
        depth += 1
        if (depth > MAX_NESTING) return index
      } else if (character === CLOSING_BRACKET || character === CLOSING_BRACE) {
        depth -= 1
      }
    }
    return -1
  }
}
