import { CsvError, parse } from 'csv-parse'
import { ValidationError } from '../../../errors.ts'
import { humanSize } from '../../../storage/human-size.ts'
import type { ContentCheck } from '../../../storage/storage.ts'
import { badLine, MAX_LINE_BYTES } from './lines.ts'
import { createStreamCheck } from './stream-check.ts'

/**
 * Comma-separated values (RFC 4180): every row has as many columns as the first, quotes are closed. Blank
 * lines do not count, lines may end in any of the three ways. A row that spans lines is named by its first.
 */
export function createCsvCheck(): ContentCheck {
  let columns = 0
  let firstRowLine = 1
  /** The line on which the last row ended, and the blank lines seen by then. */
  let lastLine = 0
  let lastBlankLines = 0
  let bytesFed = 0
  let lastRowEnd = 0

  const parser = parse({
    record_delimiter: '\n',
    skip_empty_lines: true,
    relax_column_count: true, // compared here, to say it in our own words
    on_record(row: string[], { lines, empty_lines, bytes }) {
      const line = rowLine(empty_lines)
      if (columns === 0) {
        columns = row.length
        firstRowLine = line
      } else if (row.length !== columns) {
        throw badLine(
          line,
          `the row has ${counted(row.length)}, but the first one (line ${firstRowLine}) has ${counted(columns)}; columns are separated by commas`,
        )
      }
      lastLine = lines
      lastBlankLines = empty_lines
      lastRowEnd = bytes
      return null // nothing is kept
    },
  })
  const rows = createStreamCheck(parser)
  const unify = createNewlineUnifier()

  /** The line on which the row begins that the parser is in. */
  function rowLine(blankLines: number): number {
    return lastLine + 1 + blankLines - lastBlankLines
  }

  function explain(error: unknown): unknown {
    if (!(error instanceof CsvError)) return error
    const line = rowLine(parser.info.empty_lines)
    if (error.code === 'CSV_QUOTE_NOT_CLOSED') {
      return badLine(line, 'a quote is opened in the row that begins here, and never closed')
    }
    const where = parser.info.lines
    if (error.code === 'CSV_INVALID_CLOSING_QUOTE') {
      const begun = where === line ? '' : `, which began on line ${line}`
      return badLine(
        where,
        `a closing quote must end the field${begun}; to have a quote inside a quoted field, write it twice`,
      )
    }
    if (error.code === 'INVALID_OPENING_QUOTE') {
      return badLine(
        where,
        'a quote in the middle of a field: put the field in quotes, and write the quote twice',
      )
    }
    return badLine(where, `this is not valid CSV: ${error.message}`)
  }

  async function feed(bytes: Buffer) {
    bytesFed += bytes.length
    await rows.write(bytes).catch((error: unknown) => {
      throw explain(error)
    })
    if (bytesFed - lastRowEnd > MAX_LINE_BYTES + bytes.length) {
      const line = rowLine(parser.info.empty_lines)
      throw badLine(
        line,
        `the row is longer than ${humanSize(MAX_LINE_BYTES)}; perhaps a quote is not closed`,
      )
    }
  }

  return {
    write: (chunk) => feed(unify(chunk)),
    async end() {
      await rows.end().catch((error: unknown) => {
        throw explain(error)
      })
      if (columns === 0) throw ValidationError.at('file', 'The file holds no rows, only blank lines.')
    },
  }
}

/**
 * Makes `\n` of `\r\n` and `\r`, over chunk boundaries. The parser counts `\r\n` inside quotes as two
 * lines. A `\r` that ends a chunk counts at once, and a `\n` that begins the next one is then dropped.
 */
function createNewlineUnifier(): (chunk: Uint8Array) => Buffer {
  let endedInReturn = false
  return (chunk) => {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const rest = endedInReturn && bytes[0] === 0x0a ? bytes.subarray(1) : bytes
    if (bytes.length > 0) endedInReturn = bytes[bytes.length - 1] === 0x0d
    if (!rest.includes(0x0d)) return rest
    return Buffer.from(rest.toString('latin1').replace(/\r\n?/g, '\n'), 'latin1')
  }
}

function counted(columns: number): string {
  return columns === 1 ? '1 column' : `${columns} columns`
}
