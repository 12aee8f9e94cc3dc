import type { IncomingMessage } from 'node:http'
import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { Principal } from '../domains/accounts/principal.ts'
import type { Identification } from './identify.ts'
import type { NodeRequest } from './node-request.ts'
import { type RateLimits, rateLimited } from './rate-limits.ts'

/** The largest body that is no upload, in bytes: a full report of points or lines has a few million. */
const MAX_BODY_BYTES = 25_000_000
/** The largest of somebody without credentials, in bytes: to sign in takes little, and to parse much takes long. */
export const MAX_STRANGERS_BODY_BYTES = 100_000

/** What reading the bodies of requests needs. */
export interface BodyDependencies {
  identityOf: Identification['identityOf']
  rateLimits: RateLimits
}

/**
 * Reads the bodies that are no uploads, as far as whoever sends them may send, before anything of them is parsed.
 * Those of users and runs count as operations do, by their size.
 */
export function useLimitedBodies({ identityOf, rateLimits }: BodyDependencies): Plugin<object, NodeRequest> {
  return {
    onRequestParse({ request, requestParser: parse, setRequestParser, fetchAPI, serverContext: { req } }) {
      const isUpload = request.headers.get('content-type')?.startsWith('multipart/form-data')
      if (!parse || isUpload || request.method !== 'POST') return
      setRequestParser(async ({ url, method, headers, signal }) => {
        const { principal } = await identityOf(req)
        const body = await readBody(req, principal, rateLimits)
        return parse(new fetchAPI.Request(url, { method, headers, signal, body }))
      })
    },
  }
}

async function readBody(
  req: IncomingMessage,
  principal: Principal | null,
  rateLimits: RateLimits,
): Promise<Buffer<ArrayBuffer>> {
  const maximum = principal ? MAX_BODY_BYTES : MAX_STRANGERS_BODY_BYTES
  if (Number(req.headers['content-length'] ?? 0) > maximum) throw tooLarge(maximum)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    // Not destroyed, because it is to be answered.
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      const before = bytes
      bytes += chunk.length
      if (bytes > maximum) throw tooLarge(maximum)
      const allowance = await rateLimits.chargeBytes(principal, before, bytes)
      if (allowance?.isExceeded) throw rateLimited(allowance)
      chunks.push(chunk)
    }
  } catch (error) {
    req.resume() // many read the answer only when all they send is taken
    if (error instanceof GraphQLError) throw error
    throw refusal('The body ends too early.', 'BAD_REQUEST', 400)
  }
  return Buffer.concat(chunks)
}

function tooLarge(maximum: number): GraphQLError {
  return refusal(
    `The body is too large: you may send ${maximum} bytes, and files as multipart/form-data.`,
    'REQUEST_ENTITY_TOO_LARGE',
    413,
  )
}

function refusal(message: string, code: string, status: number): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status } } })
}
