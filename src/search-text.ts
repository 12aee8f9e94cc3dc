import { ValidationError } from './errors.ts'

/** The longest text that can be searched for; databases refuse patterns that are much longer. */
const MAX_SEARCH_LENGTH = 1000

/** A text to search for. @throws ValidationError when it is too long */
export function searchText(text: string): string {
  if (text.length <= MAX_SEARCH_LENGTH) return text
  throw ValidationError.at('filter.search', `Must have at most ${MAX_SEARCH_LENGTH} characters.`)
}
