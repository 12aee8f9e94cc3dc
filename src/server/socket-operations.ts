import type { IncomingMessage } from 'node:http'
import { createSourceEventStream, type ExecutionArgs, GraphQLError } from 'graphql'
import type { SubscribePayload } from 'graphql-ws'
import type { WebSocket } from 'ws'
import type { Principal } from '../domains/accounts/principal.ts'
import { deliver } from './deliver.ts'
import { badConnectionArguments, type GraphqlHandler } from './graphql.ts'
import type { ErrorMask } from './mask-errors.ts'
import { createSharedOperations } from './shared-operations.ts'
import { createSocketWriter, type SocketWriter } from './socket-writer.ts'

/** An operation that a client asked for on its socket. */
export interface SocketRequest {
  /** The id that the client gave it. */
  id: string
  payload: SubscribePayload
  socket: WebSocket
  request: IncomingMessage
  principal: Principal | null
}

/** Performs operations with the same parsing, validation and context as on HTTP. */
export function createSocketOperations({
  graphql,
  maskError,
}: {
  graphql: GraphqlHandler
  maskError: ErrorMask
}) {
  const shared = createSharedOperations(maskError)
  const writers = new WeakMap<WebSocket, SocketWriter>()
  const prepared = new WeakMap<ExecutionArgs, SocketRequest & Pick<Enveloped, 'execute'>>()
  type Enveloped = ReturnType<GraphqlHandler['getEnveloped']>

  function writerFor({ socket, request }: SocketRequest): SocketWriter {
    const writer = writers.get(socket) ?? createSocketWriter(socket, request.socket)
    writers.set(socket, writer)
    return writer
  }

  function requestOf(args: ExecutionArgs) {
    const request = prepared.get(args)
    if (!request) throw new Error('The operation was not prepared.')
    return request
  }

  return {
    /** Makes an operation ready to be performed, or says what is wrong with its document. */
    async prepare(asked: SocketRequest): Promise<ExecutionArgs | GraphQLError[]> {
      const { query, operationName, variables } = asked.payload
      const enveloped = graphql.getEnveloped({
        req: asked.request,
        principal: asked.principal,
        params: { query, operationName, variables },
      })
      let document: ExecutionArgs['document']
      try {
        document = enveloped.parse(query)
      } catch (error) {
        const problem =
          error instanceof GraphQLError ? error : new GraphQLError('The document cannot be parsed.')
        return [withCode(problem, 'GRAPHQL_PARSE_FAILED')]
      }
      const errors: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
      if (errors.length > 0) return errors.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'))
      const args: ExecutionArgs = {
        schema: enveloped.schema,
        operationName,
        document,
        variableValues: variables,
        contextValue: await enveloped.contextFactory(),
      }
      prepared.set(args, { ...asked, execute: enveloped.execute })
      return args
    },

    /** Performs a query or a mutation. */
    execute: (args: ExecutionArgs) => requestOf(args).execute(args),

    /** Sends the results of a subscription to its client until it is over, or says why there are none. */
    async subscribe(args: ExecutionArgs) {
      const request = requestOf(args)
      const refused = badConnectionArguments(args)
      if (refused.length > 0) return { errors: refused }
      const source = await createSourceEventStream(args)
      if (!(Symbol.asyncIterator in source)) return { errors: source.errors?.map(maskError) ?? [] }
      const { id, payload, principal } = request
      const operation = shared.join({ query: payload.query, args, principal })
      return deliver({ id, source, operation, writer: writerFor(request), maskError })
    },
  }
}

/** The error with the code that HTTP gives it too. */
function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, extensions } = error
  return new GraphQLError(message, { nodes, source, positions, extensions: { code, ...extensions } })
}
