import { type DocumentNode, Lexer, parse, Source, TokenKind } from 'graphql'
import { checkShape } from './shape.ts'
import { tooComplex } from './too-complex.ts'

/**
 * What a document may have. The largest that we know, the introspection query of GraphiQL and code generators,
 * has 200 tokens and 13 levels.
 */
const MAX_CHARACTERS = 100_000
const MAX_TOKENS = 4000
/** Brackets within brackets. The parser calls itself for each, and some thousand exhaust the stack. */
const MAX_NESTING = 60

const OPENING: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L])
const CLOSING: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R])

/**
 * Parses a document, but none that would be expensive to parse, to validate or to plan.
 *
 * @throws GraphQLError with the code DOCUMENT_TOO_COMPLEX, or for a syntax error
 */
export function parseWithinLimits(text: string): DocumentNode {
  if (text.length > MAX_CHARACTERS) throw tooComplex('characters', MAX_CHARACTERS, text.length)
  checkTokens(text)
  const document = parse(text, { maxTokens: MAX_TOKENS })
  checkShape(document)
  return document
}

/** Looks at the tokens one by one, which takes no stack, before anything recursive does. */
function checkTokens(text: string): void {
  const lexer = new Lexer(new Source(text))
  let tokens = 0
  let nesting = 0
  for (let { kind } = lexer.advance(); kind !== TokenKind.EOF; { kind } = lexer.advance()) {
    tokens++
    if (OPENING.has(kind)) nesting++
    else if (CLOSING.has(kind)) nesting--
    if (tokens > MAX_TOKENS) throw tooComplex('tokens', MAX_TOKENS, tokens)
    if (nesting > MAX_NESTING) throw tooComplex('brackets within brackets', MAX_NESTING, nesting)
  }
}
