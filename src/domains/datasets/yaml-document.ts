import { type Document, Lexer, LineCounter, parseDocument } from 'yaml'
import { ValidationError } from '../../errors.ts'
import { resolveReferences } from './yaml-references.ts'
import { sourceKeepingTags } from './yaml-scalars.ts'

/**
 * How many tokens a config may have: some 50,000 values. The parser needs up to half a second for them,
 * in which the server does nothing else; a file of 5 MB can be made to take ten.
 */
const MAX_TOKENS = 250_000

/**
 * Reads one YAML 1.2 document with the core schema, into a tree that holds comments and the way values
 * are written. Anchors, aliases and merge keys (`<<`) are resolved, so that the tree can be changed in
 * one place without changing another. Duplicate keys, tags and keys that are not scalars are refused.
 *
 * @throws ValidationError at `file`, naming line and column
 */
export function readYamlDocument(text: string): Document {
  const lineCounter = new LineCounter()
  const fail = (offset: number, problem: string): ValidationError => {
    const { line, col } = lineCounter.linePos(offset)
    return ValidationError.at('file', `line ${line}, column ${col}: ${problem}`)
  }
  refuseTooManyTokens(text)
  const document: Document = parseDocument(text, {
    schema: 'core',
    customTags: sourceKeepingTags,
    resolveKnownTags: false,
    merge: false, // resolved below
    uniqueKeys: false, // checked below: the parser's own check takes time that grows with the square
    prettyErrors: false,
    lineCounter,
    logLevel: 'error', // 'silent' would accept a second document
  })
  const [error] = document.errors
  if (error?.code === 'MULTIPLE_DOCS') {
    throw fail(error.pos[0], 'a second document begins here, and a config is only one')
  }
  if (error?.code === 'RESOURCE_EXHAUSTION') throw fail(error.pos[0], 'values are nested too deeply')
  if (error) throw fail(error.pos[0], error.message)
  // The parser only warns of a tag that it does not know, and takes the value for a string.
  const [warning] = document.warnings
  if (warning) throw fail(warning.pos[0], `${warning.message}; a config holds plain values only`)
  if (document.contents) document.contents = resolveReferences(document.contents, fail)
  return document
}

function refuseTooManyTokens(text: string) {
  let tokens = 0
  for (const _token of new Lexer().lex(text)) {
    tokens += 1
    if (tokens > MAX_TOKENS)
      throw ValidationError.at('file', 'The file has more values than a train config may have.')
  }
}
