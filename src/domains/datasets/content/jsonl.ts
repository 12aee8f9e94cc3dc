import { ValidationError } from '../../../errors.ts'
import { humanSize } from '../../../storage/human-size.ts'
import type { ContentCheck } from '../../../storage/storage.ts'
import { badLine, excerpt, MAX_LINE_BYTES } from './lines.ts'
import { createNestingGuard, MAX_NESTING } from './nesting.ts'

/** JSON Lines: an object or an array on every line that is not blank, and at least one such line. */
export function createJsonLinesCheck(): ContentCheck {
  /** The parts of the line that is not over yet. */
  let parts: Uint8Array[] = []
  let partsBytes = 0
  let line = 1
  let records = 0

  function append(part: Uint8Array) {
    partsBytes += part.length
    if (partsBytes > MAX_LINE_BYTES)
      throw badLine(line, `the line is longer than ${humanSize(MAX_LINE_BYTES)}`)
    if (part.length > 0) parts.push(part)
  }

  function finishLine() {
    const text = Buffer.concat(parts).toString()
    parts = []
    partsBytes = 0
    if (/[^ \t\r]/.test(text)) {
      refuseBadRecord(text, line)
      records += 1
    }
    line += 1
  }

  return {
    write(chunk) {
      let start = 0
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
        append(chunk.subarray(start, end))
        finishLine()
        start = end + 1
      }
      append(Buffer.from(chunk.subarray(start))) // a copy: the chunk belongs to somebody else
    },
    end() {
      finishLine()
      if (records === 0) throw ValidationError.at('file', 'The file holds no records, only blank lines.')
    },
  }
}

function refuseBadRecord(text: string, line: number) {
  const trimmed = text.trimStart()
  if (!trimmed.startsWith('{') && !trimmed.startsWith('[')) {
    throw badLine(
      line,
      `each line must hold a JSON object or array, and this begins with ${excerpt(trimmed)}`,
    )
  }
  if (text.length > MAX_NESTING && createNestingGuard()(text) !== -1) {
    throw badLine(line, `arrays and objects are nested more than ${MAX_NESTING} deep`)
  }
  try {
    JSON.parse(text)
  } catch (error) {
    throw badLine(line, `this is not valid JSON: ${problem(error, text)}`)
  }
}

/** What JSON.parse complains of, with the column (from 1) instead of its own idea of where that is. */
function problem(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : String(error)
  const position = Number(/at position (\d+)/.exec(message)?.[1] ?? Number.NaN)
  if (/end of JSON input/.test(message) || position >= text.trimEnd().length) {
    return 'the line ends in the middle of a value'
  }
  const complaint = message.replace(/( in JSON)? at position .*$|, ".*$/s, '')
  return Number.isNaN(position) ? complaint : `${complaint} (column ${position + 1})`
}
