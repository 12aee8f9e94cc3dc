import verifier from 'stream-json/utils/verifier.js'
import type { ContentCheck } from '../../../storage/storage.ts'
import { badLine, createLineIndex, excerpt } from './lines.ts'
import { createNestingGuard, MAX_NESTING } from './nesting.ts'
import { createStreamCheck } from './stream-check.ts'

/** The verifier holds back up to 16 characters of a literal or escape that it has not seen the end of. */
const LOOK_BACK = 32

/**
 * One JSON document, an object or an array, of any length: only what is open is remembered. Syntax is
 * left to stream-json's verifier; of its errors only the offset is used for the line, because it counts
 * U+2028 as the end of one.
 */
export function createJsonCheck(): ContentCheck {
  const syntax = createStreamCheck(verifier.asStream())
  const findTooDeep = createNestingGuard()
  const lines = createLineIndex(LOOK_BACK)
  let begun = false

  function refuseScalar(text: string, offset: number) {
    const first = text.search(/[^ \t\r\n]/)
    if (first === -1) return
    begun = true
    if (text[first] === '{' || text[first] === '[') return
    const found = excerpt(text.slice(first))
    throw badLine(
      lines.lineAt(offset + first),
      `a JSON file must hold an object or an array, and this begins with ${found}`,
    )
  }

  function explain(error: unknown, atEnd: boolean): unknown {
    if (!(error instanceof Error && 'offset' in error && typeof error.offset === 'number')) return error
    const found = lines.textFrom(error.offset)
    const what = atEnd
      ? 'the file ends in the middle of the document'
      : `${describe(error.message)}, but there is ${excerpt(found)}`
    return badLine(lines.lineAt(error.offset), `this is not valid JSON: ${what}`)
  }

  return {
    async write(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
      const offset = lines.length()
      lines.push(text)
      if (!begun) refuseScalar(text, offset)
      await syntax.write(text).catch((error: unknown) => {
        throw explain(error, false)
      })
      const tooDeep = findTooDeep(text)
      if (tooDeep === -1) return
      const line = lines.lineAt(offset + tooDeep)
      throw badLine(line, `arrays and objects are nested more than ${MAX_NESTING} deep`)
    },
    async end() {
      await syntax.end().catch((error: unknown) => {
        throw explain(error, true)
      })
    },
  }
}

/** The verifier's complaint as the first half of a sentence. */
function describe(message: string): string {
  if (message.includes('unexpected characters')) return 'the document is over'
  if (message.includes('escaped characters')) return 'this cannot stand in a string'
  const expected = /expected (?!token)(.+)$/.exec(message)?.[1]
  return expected ? `expected ${expected}` : 'expected a value'
}
