import type { Reading } from './reading.ts'
import { type RecordValue, readRecord } from './records.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const NON_FINITE = /-?Infinity|NaN/y

/** What a line says that is one JSON object, `NaN` and `Infinity` as Python writes them included. */
export function readJsonLine(line: string): Reading | null {
  const value = parse(line) ?? parse(quoteNonFinite(line))
  return isObject(value) ? readRecord(value) : null
}

function parse(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined // Not JSON: an ordinary line that happens to begin with a brace.
  }
}

function isObject(value: unknown): value is { [key: string]: RecordValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text with `NaN`, `Infinity` and `-Infinity` as strings, which are read as numbers; null without any. */
function quoteNonFinite(text: string): string | null {
  if (!text.includes('NaN') && !text.includes('Infinity')) return null
  let quoted = ''
  let copied = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = stringEnd(text, at)
    } else if (code === 0x4e || code === 0x49 || code === 0x2d) {
      NON_FINITE.lastIndex = at
      const match = NON_FINITE.exec(text)
      if (match === null) continue
      quoted += `${text.slice(copied, at)}"${match[0]}"`
      at += match[0].length - 1
      copied = at + 1
    }
  }
  return quoted + text.slice(copied)
}

/** The index of the quote that closes the string which begins at `start`, or the last index of the text. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at
  }
  return text.length - 1
}
