import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { GraphQLError } from 'graphql'
import { z } from 'zod'
import { ConfigError } from '../config.ts'

/** What a client sent to say which document it means; nothing of it is checked. */
export interface DocumentRequest {
  query?: unknown
  /** "sha256:" and the hash, as the persisted documents appendix of GraphQL over HTTP has it. */
  documentId?: unknown
  /** With `persistedQuery.sha256Hash`, as Apollo's clients send it. */
  extensions?: unknown
}

/** The only documents that a server performs. */
export interface TrustedDocuments {
  /** The text of the document that was asked for. @throws GraphQLError when it is none of ours */
  textOf(request: DocumentRequest): string
}

const Manifest = z
  .record(z.string(), z.string('a document is not text'), 'it is not an object of hashes and documents')
  .refine((documents) => Object.keys(documents).every((key) => /^(sha256:)?[0-9a-f]{64}$/i.test(key)), {
    error: 'a key is not a SHA-256 in hex',
  })

/** What a client names a document by. */
const Named = z.object({
  documentId: z.string().optional().catch(undefined),
  extensions: z
    .object({ persistedQuery: z.object({ sha256Hash: z.string() }) })
    .optional()
    .catch(undefined),
})

/**
 * Reads the documents of a server's clients from a JSON file of hashes and texts, as GraphQL Code Generator
 * writes it.
 *
 * @param own documents of the server's own pages, which are trusted as well
 * @throws ConfigError with one line for the operator
 */
export async function readTrustedDocuments(file: string, own: string[]): Promise<TrustedDocuments> {
  const documents = await readManifest(file)
  const texts = new Map(own.map((text) => [sha256(text), text]))
  for (const [key, text] of Object.entries(documents)) texts.set(hashIn(key), text)
  const known = new Set(texts.values())

  return {
    textOf(request) {
      const { documentId, extensions } = Named.parse(request)
      const hash = documentId ?? extensions?.persistedQuery.sha256Hash
      const text = hash === undefined ? undefined : texts.get(hashIn(hash))
      if (text !== undefined) return text
      if (hash === undefined && typeof request.query === 'string' && known.has(request.query))
        return request.query
      throw new GraphQLError('This server performs trusted documents only, and this is none of them.', {
        extensions: { code: 'DOCUMENT_NOT_TRUSTED', http: { status: 400 } },
      })
    },
  }
}

async function readManifest(file: string): Promise<Record<string, string>> {
  try {
    return Manifest.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const problem = error instanceof z.ZodError ? error.issues[0]?.message : Object(error).message
    throw new ConfigError(`Wrong setting: TRAINYARD_TRUSTED_DOCUMENTS: ${file}: ${problem}`)
  }
}

function hashIn(id: string): string {
  return id.replace(/^sha256:/i, '').toLowerCase()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
