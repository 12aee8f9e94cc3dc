import type { Server } from 'node:http'
import { type ExecutionArgs, GraphQLError } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import type { Logger } from 'pino'
import { WebSocketServer } from 'ws'
import type { Principal } from '../domains/accounts/principal.ts'
import type { AccountService } from '../domains/accounts/service.ts'
import { UnauthenticatedError } from '../errors.ts'
import { authenticate, credentialsOf } from './authenticate.ts'
import { GRAPHQL_PATH, type GraphqlHandler } from './graphql.ts'

/** The largest message a client may send, in bytes. */
const MAX_FRAME_BYTES = 1024 * 1024
/** The close code of graphql-transport-ws for credentials that do not count. */
const FORBIDDEN = 4403

/** What serving the API on WebSockets needs. */
export interface SocketDependencies {
  server: Server
  graphql: GraphqlHandler
  accounts: AccountService
  log: Logger
}

/**
 * Serves the API to graphql-transport-ws clients on the port of the HTTP server.
 *
 * @returns a function that ends all sockets, telling clients to come back (1001)
 */
export function serveSockets({ server, graphql, accounts, log }: SocketDependencies): () => Promise<void> {
  const sockets = new WebSocketServer({ server, path: GRAPHQL_PATH, maxPayload: MAX_FRAME_BYTES })
  const principals = new WeakMap<object, Principal | null>()
  /** The functions that belong to an operation, plugins and all. */
  const prepared = new WeakMap<ExecutionArgs, ReturnType<GraphqlHandler['getEnveloped']>>()

  const { dispose } = useServer(
    {
      execute: (args) => prepared.get(args)?.execute(args),
      subscribe: (args) => prepared.get(args)?.subscribe(args),
      async onConnect({ connectionParams, extra }) {
        try {
          principals.set(extra.socket, await authenticate(accounts, credentialsOf(connectionParams)))
        } catch (error) {
          if (!(error instanceof UnauthenticatedError)) throw error
          extra.socket.close(FORBIDDEN, error.message.slice(0, 120))
          return false
        }
      },
      async onSubscribe({ extra }, _id, { query, operationName, variables }) {
        const { request } = extra
        const enveloped = graphql.getEnveloped({
          req: request,
          principal: principals.get(extra.socket) ?? null,
          params: { query, operationName, variables },
        })
        let document: ExecutionArgs['document']
        try {
          document = enveloped.parse(query)
        } catch (error) {
          return [error instanceof GraphQLError ? error : new GraphQLError('The document cannot be parsed.')]
        }
        const errors = enveloped.validate(enveloped.schema, document)
        if (errors.length > 0) return errors
        const args: ExecutionArgs = {
          schema: enveloped.schema,
          operationName,
          document,
          variableValues: variables,
          contextValue: await enveloped.contextFactory(),
        }
        prepared.set(args, enveloped)
        return args
      },
    },
    sockets,
  )
  sockets.on('error', (error) => log.error({ err: error }, 'the WebSocket server failed'))
  return async () => {
    await dispose()
  }
}
