import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'

/** A page of another site cannot send any of these without asking first, and is then told no. */
const PROOFS = ['authorization', 'x-requested-with', 'graphql-require-preflight', 'apollo-require-preflight']

/** The bodies that are understood. A browser asks before it sends the first two for a page of another site. */
const JSON_TYPES = ['application/json', 'application/graphql+json']
const MULTIPART = 'multipart/form-data'

/**
 * Refuses what a page of another site could send in the name of its visitor: a browser sends a GET, or a POST of
 * a form or of plain text, cookies included, without asking the server whether that site may.
 */
export function useCsrfPrevention(): Plugin {
  return {
    onRequestParse({ request }) {
      if (request.method === 'POST') checkType(request)
      if (request.method === 'POST' && JSON_TYPES.includes(typeOf(request))) return
      if (PROOFS.some((name) => request.headers.get(name))) return
      throw refusal(
        400,
        'This request could come from a page of another site. Send it with one of these headers: Authorization, X-Requested-With, GraphQL-Require-Preflight, Apollo-Require-Preflight; or as POST with Content-Type: application/json.',
      )
    },
  }
}

function checkType(request: Request) {
  if ([...JSON_TYPES, MULTIPART].includes(typeOf(request))) return
  throw refusal(415, 'Send a Content-Type of application/json, or multipart/form-data with files.')
}

function typeOf(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function refusal(status: number, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status } } })
}
