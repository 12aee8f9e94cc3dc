import { GraphQLError } from 'graphql'
import type { Logger } from 'pino'
import { toClientError } from '../graphql/errors.ts'

/** Makes of any error what a client may see of it. */
export type ErrorMask = (error: unknown) => GraphQLError

/** A mask that lets expected errors and those of GraphQL itself through, and logs all others. */
export function createErrorMask(log: Logger): ErrorMask {
  return (error) => {
    const known = toClientError(error)
    if (known) return withoutSuggestion(known)
    const cause = error instanceof GraphQLError ? error.originalError : error
    if (error instanceof GraphQLError && cause === undefined) return withoutExcerpt(error)
    log.error({ err: cause }, 'an operation failed unexpectedly')
    return new GraphQLError('Something went wrong in the server; its log says what.', {
      path: error instanceof GraphQLError ? error.path : undefined,
      extensions: { code: 'INTERNAL_SERVER_ERROR' },
    })
  }
}

/**
 * Where a value in the variables is wrong, the executor suggests names of the schema, whether the caller may see
 * it or not.
 */
function withoutSuggestion(error: GraphQLError): GraphQLError {
  if (error.extensions.code !== 'BAD_USER_INPUT') return error
  const { nodes, path, extensions } = error
  return new GraphQLError(error.message.replace(/ Did you mean .*\?$/, ''), { nodes, path, extensions })
}

/** Of a body that is no JSON, yoga quotes the place where parsing failed, which may be in a password. */
function withoutExcerpt(error: GraphQLError): GraphQLError {
  if (error.extensions.originalError === undefined) return error
  return new GraphQLError(error.message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } })
}
