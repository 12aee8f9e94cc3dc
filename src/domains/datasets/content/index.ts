import { extname } from 'node:path'
import type { ContentCheck } from '../../../storage/storage.ts'
import { createCsvCheck } from './csv.ts'
import { createJsonCheck } from './json.ts'
import { createJsonLinesCheck } from './jsonl.ts'
import { createTextCheck } from './text.ts'

/**
 * The check for "is this file what its name says", by extension in either case: `.json`, `.jsonl` or
 * `.ndjson`, `.csv`, `.txt`. Null for every other file: it is stored as it comes.
 *
 * A check takes the file in chunks of any size and needs memory for a line or two, never for the file.
 * It throws a ValidationError at `file` that names the first bad line, counted from 1 as editors do.
 */
export function contentCheckFor(filename: string): ContentCheck | null {
  switch (extname(filename).toLowerCase()) {
    case '.json':
      return createTextCheck(createJsonCheck())
    case '.jsonl':
    case '.ndjson':
      return createTextCheck(createJsonLinesCheck())
    case '.csv':
      return createTextCheck(createCsvCheck())
    case '.txt':
      return createTextCheck(null)
    default:
      return null
  }
}
