import type { IncomingMessage, ServerResponse } from 'node:http'
import { GraphQLError } from 'graphql'
import { processRequest } from 'graphql-upload-minimal'
import type { GraphQLParams, Plugin } from 'graphql-yoga'

/** Node's side of a request, which files are streamed from. */
export interface NodeRequest {
  req: IncomingMessage
  res: ServerResponse
}

/** The most files in one request. */
const MAX_FILES = 10
/** The largest `operations` or `map` field, in bytes. */
const MAX_FIELD_BYTES = 1024 * 1024

/**
 * Takes multipart requests from the socket as they arrive, so that files are streamed to their resolvers
 * instead of being held in memory.
 *
 * @param maxFileBytes where a file is cut; the service that reads it notices and refuses it
 */
export function useStreamedUploads(maxFileBytes: number): Plugin<object, NodeRequest> {
  return {
    onRequestParse({ request, serverContext, setRequestParser }) {
      if (!request.headers.get('content-type')?.startsWith('multipart/form-data')) return
      setRequestParser(async () => {
        try {
          return toParams(
            await processRequest(serverContext.req, serverContext.res, {
              maxFieldSize: MAX_FIELD_BYTES,
              maxFileSize: maxFileBytes,
              maxFiles: MAX_FILES,
            }),
          )
        } catch (error) {
          const message = error instanceof Error ? error.message : 'The multipart request cannot be read.'
          throw new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } })
        }
      })
    },
  }
}

function toParams(parsed: unknown): GraphQLParams | GraphQLParams[] {
  if (Array.isArray(parsed)) return parsed.map(toOneParams)
  return toOneParams(parsed)
}

function toOneParams(parsed: unknown): GraphQLParams {
  if (typeof parsed === 'object' && parsed !== null) return parsed
  throw new GraphQLError('The operations field must be a JSON object.', {
    extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
  })
}
