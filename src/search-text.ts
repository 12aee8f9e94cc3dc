import { ValidationError } from './errors.ts'

/** The longest text that can be searched for; databases refuse patterns that are much longer. */
const MAX_SEARCH_LENGTH = 1000

/** A text to search for. @throws ValidationError when it is longer than `maxLength`, in characters */
export function searchText(text: string, maxLength = MAX_SEARCH_LENGTH): string {
  if (text.length <= maxLength) return text
  throw ValidationError.at('filter.search', `Must have at most ${maxLength} characters.`)
}
