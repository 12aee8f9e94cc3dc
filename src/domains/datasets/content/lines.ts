import { ValidationError } from '../../../errors.ts'

/** The longest line, or CSV row, that is accepted: it has to fit in memory. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

/** The refusal of a file because of one line, counted from 1. */
export function badLine(line: number, problem: string): ValidationError {
  return ValidationError.at('file', `line ${line}: ${problem}`)
}

/** How many line feeds there are in `text` before `end`. */
export function countNewlines(text: string | Buffer, end = text.length): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

/** The beginning of `text` for an error message, in quotes; "the end of the line" when nothing is left. */
export function excerpt(text: string): string {
  const [line = ''] = text.split(/[\r\n]/, 1)
  const characters = [...line.slice(0, 64)]
  if (characters.length === 0) return 'the end of the line'
  return JSON.stringify(characters.length > 24 ? `${characters.slice(0, 24).join('')}…` : line)
}

/** Knows the line of every place in the last chunk of a text, and a little before it. */
export interface LineIndex {
  /** Takes the next chunk. */
  push(text: string): void
  /** The line, from 1, of the character at `offset`, counted from the start of the text in UTF-16 units. */
  lineAt(offset: number): number
  /** What follows `offset`, as far as it is known yet. */
  textFrom(offset: number): string
  /** How long the text is so far. */
  length(): number
}

/** @param lookBack how many characters before the last chunk must still be found */
export function createLineIndex(lookBack: number): LineIndex {
  let window = ''
  let windowOffset = 0
  let windowLine = 1
  return {
    push(text) {
      const passed = Math.max(window.length - lookBack, 0)
      windowLine += countNewlines(window, passed)
      windowOffset += passed
      window = window.slice(passed) + text
    },
    lineAt: (offset) => windowLine + countNewlines(window, offset - windowOffset),
    textFrom: (offset) => window.slice(Math.max(offset - windowOffset, 0)),
    length: () => windowOffset + window.length,
  }
}
