import type { DocumentNode } from 'graphql'
import { createRecentlyUsed } from '../streams/recently-used.ts'

/**
 * How much text of parsed documents is kept, in characters. What is made of a text takes up to a few hundred times
 * its room, so this is for about a thousand operations as people write them, and for few of those who try how
 * much memory they can take.
 */
const MAX_CHARACTERS = 400_000

/** Caches of parsed documents for yoga. Yoga's own count documents, however large these are. */
export function createDocumentCaches() {
  const documents = createRecentlyUsed<DocumentNode>(MAX_CHARACTERS)
  return {
    documentCache: {
      get: (text: string) => documents.get(text),
      set: (text: string, document: DocumentNode) => documents.add(text, document, text.length),
    },
    // A document that cannot be parsed is parsed again: it costs little, and whoever sends it has no hurry.
    errorCache: { get: () => undefined, set: () => undefined },
  }
}
