import { GraphQLError } from 'graphql'

/**
 * The error for an operation that asks for more than a limit allows.
 *
 * @param what what there is too much of, e.g. "aliases"
 * @param maximum how much of it there may be
 * @param sent how much there is; at least as much where counting stopped early
 */
export function tooComplex(what: string, maximum: number, sent: number): GraphQLError {
  return new GraphQLError(`This operation is too complex: ${what}: ${sent}, at most ${maximum}.`, {
    extensions: {
      code: 'DOCUMENT_TOO_COMPLEX',
      limit: what,
      maximum,
      sent,
      http: { status: 400 },
    },
  })
}
