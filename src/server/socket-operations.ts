import type { IncomingMessage } from 'node:http'
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql'
import type { SubscribePayload } from 'graphql-ws'
import type { WebSocket } from 'ws'
import type { Principal } from '../domains/accounts/principal.ts'
import type { ClientAddress } from './client-address.ts'
import { deliver } from './deliver.ts'
import type { GraphqlHandler } from './graphql.ts'
import type { ErrorMask } from './mask-errors.ts'
import type { OperationChecks } from './operation-checks.ts'
import { type RateLimits, rateLimited } from './rate-limits.ts'
import { createSharedOperations } from './shared-operations.ts'
import { createSocketWriter, type SocketWriter } from './socket-writer.ts'
import type { TrustedDocuments } from './trusted-documents.ts'

/** An operation that a client asked for on its socket. */
export interface SocketRequest {
  /** The id that the client gave it. */
  id: string
  payload: SubscribePayload
  socket: WebSocket
  request: IncomingMessage
  principal: Principal | null
}

/** What performing operations of sockets needs. */
export interface SocketOperationDependencies {
  graphql: GraphqlHandler
  maskError: ErrorMask
  checks: OperationChecks
  rateLimits: RateLimits
  clientAddress: ClientAddress
  trustedDocuments: TrustedDocuments | null
}

/** Subscriptions that one socket may have at the same time: a page watches a few, and each holds memory while it lasts. */
const MAX_SUBSCRIPTIONS = 200

/** Performs operations with the same limits, parsing, validation and context as on HTTP. */
export function createSocketOperations(deps: SocketOperationDependencies) {
  const { graphql, maskError, checks, rateLimits, clientAddress, trustedDocuments } = deps
  const shared = createSharedOperations(maskError)
  const writers = new WeakMap<WebSocket, SocketWriter>()
  const prepared = new WeakMap<ExecutionArgs, SocketRequest & Pick<Enveloped, 'execute'>>()
  const subscriptionCounts = new WeakMap<WebSocket, number>()
  type Enveloped = ReturnType<GraphqlHandler['getEnveloped']>

  function writerFor({ socket, request }: SocketRequest): SocketWriter {
    const writer = writers.get(socket) ?? createSocketWriter(socket, request.socket)
    writers.set(socket, writer)
    return writer
  }

  /** Counts a subscription of a socket; gives what takes it off again, or null when there are too many. */
  function enter(socket: WebSocket): (() => void) | null {
    const count = subscriptionCounts.get(socket) ?? 0
    if (count >= MAX_SUBSCRIPTIONS) return null
    subscriptionCounts.set(socket, count + 1)
    return () => void subscriptionCounts.set(socket, (subscriptionCounts.get(socket) ?? 1) - 1)
  }

  function requestOf(args: ExecutionArgs) {
    const request = prepared.get(args)
    if (!request) throw new Error('The operation was not prepared.')
    return request
  }

  return {
    /** Makes an operation ready to be performed, or says what is wrong with its document. */
    async prepare(asked: SocketRequest): Promise<ExecutionArgs | GraphQLError[]> {
      const { operationName, variables } = asked.payload
      const { principal, request } = asked
      const allowance = await rateLimits.countRequest({ principal, address: clientAddress(request) })
      if (allowance?.isExceeded) return [forSocket(rateLimited(allowance))]
      const enveloped = graphql.getEnveloped({ req: request, principal, params: asked.payload })
      let document: ExecutionArgs['document']
      try {
        const query = trustedDocuments?.textOf(asked.payload) ?? asked.payload.query
        document = enveloped.parse(query)
      } catch (error) {
        const problem =
          error instanceof GraphQLError ? error : new GraphQLError('The document cannot be parsed.')
        return [forSocket(problem, 'GRAPHQL_PARSE_FAILED')]
      }
      const errors: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
      if (errors.length > 0) return errors.map((error) => forSocket(error, 'GRAPHQL_VALIDATION_FAILED'))
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
    async execute(args: ExecutionArgs): Promise<ExecutionResult> {
      const result: ExecutionResult = await requestOf(args).execute(args)
      return result.errors ? { ...result, errors: result.errors.map((error) => forSocket(error)) } : result
    },

    /** Sends the results of a subscription to its client until it is over, or says why there are none. */
    async subscribe(args: ExecutionArgs) {
      const request = requestOf(args)
      const refused = (await checks(args, request.principal)).errors
      if (refused.length > 0) return { errors: refused.map((error) => forSocket(error)) }
      const { id, payload, principal, socket } = request
      const leave = enter(socket)
      if (!leave) return { errors: [TOO_MANY_SUBSCRIPTIONS] }
      const source = await createSourceEventStream(args)
      if (!(Symbol.asyncIterator in source)) {
        leave()
        return { errors: source.errors?.map(maskError) ?? [] }
      }
      const operation = shared.join({
        query: args.document.loc?.source.body ?? payload.query,
        args,
        principal,
      })
      return deliver({ id, source, operation, leave, writer: writerFor(request), maskError })
    },
  }
}

const TOO_MANY_SUBSCRIPTIONS = new GraphQLError(
  `One socket may have ${MAX_SUBSCRIPTIONS} subscriptions at the same time: end some, or open another.`,
  { extensions: { code: 'RATE_LIMITED' } },
)

/** The error as HTTP gives it too: with a code where it has none, and without what is about HTTP alone. */
function forSocket(error: GraphQLError, code?: string): GraphQLError {
  const { message, nodes, source, positions, path } = error
  const { http, ...extensions } = error.extensions
  return new GraphQLError(message, {
    nodes,
    source,
    positions,
    path,
    extensions: code === undefined ? extensions : { code, ...extensions },
  })
}
