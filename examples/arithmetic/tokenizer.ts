import { UsageError } from './errors.ts'

/** Turns text into numbers, one for each character; 0 is the mark that ends an answer. */
export interface Tokenizer {
  /** The characters in the order of their numbers, without the end mark. */
  characters: string
  /** Number of tokens, the end mark among them. */
  size: number
  /** @throws UsageError for a character outside the vocabulary. */
  encode(text: string): number[]
  decode(tokens: number[]): string
}

/** The token that ends an answer, and that pads a batch. */
export const END = 0

export function createTokenizer(characters: string): Tokenizer {
  const list = [...characters]
  const numbers = new Map(list.map((character, i) => [character, i + 1]))
  return {
    characters,
    size: list.length + 1,
    encode: (text) =>
      Array.from(text, (character) => {
        const number = numbers.get(character)
        if (number === undefined) {
          throw new UsageError(`the model does not know the character ${JSON.stringify(character)}`)
        }
        return number
      }),
    decode: (tokens) => tokens.map((token) => list[token - 1] ?? '').join(''),
  }
}

/** The tokenizer for all characters that occur in the texts. */
export function tokenizerFor(texts: Iterable<string>): Tokenizer {
  const seen = new Set<string>()
  for (const text of texts) for (const character of text) seen.add(character)
  return createTokenizer([...seen].sort().join(''))
}
