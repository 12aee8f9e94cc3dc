import { GraphQLError } from 'graphql'
import type { GraphQLParams, Plugin } from 'graphql-yoga'

/**
 * Reads the operation of a GET from its address, as GraphQL over HTTP has it. Yoga would take variables that are
 * no JSON for a mistake of its own, and does not know documentId.
 */
export function useGetRequests(): Plugin {
  return {
    onRequestParse({ request, url, setRequestParser }) {
      if (request.method === 'GET') setRequestParser(() => paramsIn(url.searchParams))
    },
  }
}

function paramsIn(search: URLSearchParams): GraphQLParams & { documentId?: string } {
  const text = (name: string) => search.get(name) || undefined
  const documentId = text('documentId')
  return {
    query: text('query'),
    operationName: text('operationName'),
    variables: objectIn(search, 'variables'),
    extensions: objectIn(search, 'extensions'),
    ...(documentId !== undefined && { documentId }),
  }
}

function objectIn(search: URLSearchParams, name: string): Record<string, unknown> | undefined {
  const text = search.get(name)
  if (!text) return undefined
  const value = parsed(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new GraphQLError(`The parameter ${name} must be a JSON object.`, {
    extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
