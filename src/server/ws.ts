import type { IncomingMessage, Server } from 'node:http'
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
/** How often sockets are looked at for sessions that have ended, in ms; their streams end within 5 s. */
const SESSION_CHECK_MS = 2000
/** How long a client may take to close its side when the server stops, in ms. */
const CLOSE_GRACE_MS = 2000

/** What serving the API on WebSockets needs. */
export interface SocketDependencies {
  server: Server
  graphql: GraphqlHandler
  accounts: AccountService
  /** Other origins whose pages may connect. */
  allowedOrigins: string[]
  log: Logger
}

/**
 * Serves the API to graphql-transport-ws clients on the port of the HTTP server.
 *
 * @returns a function that ends all sockets, telling clients to come back (1001), and cuts those that hang
 */
export function serveSockets({
  server,
  graphql,
  accounts,
  allowedOrigins,
  log,
}: SocketDependencies): () => Promise<void> {
  const sockets = new WebSocketServer({
    server,
    path: GRAPHQL_PATH,
    maxPayload: MAX_FRAME_BYTES,
    verifyClient: ({ req }, answer) =>
      answer(mayConnect(req, allowedOrigins), 403, 'Pages of this origin may not connect'),
  })
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
          const problem =
            error instanceof GraphQLError ? error : new GraphQLError('The document cannot be parsed.')
          return [withCode(problem, 'GRAPHQL_PARSE_FAILED')]
        }
        const errors = enveloped.validate(enveloped.schema, document)
        if (errors.length > 0)
          return errors.map((error: GraphQLError) => withCode(error, 'GRAPHQL_VALIDATION_FAILED'))
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
  sockets.on('connection', (socket) => {
    // In place of graphql-ws's own listener, which writes to the console. ws itself closes the socket.
    socket.removeAllListeners('error')
    socket.on('error', (error) => log.debug({ err: error }, 'a socket failed'))
  })
  sockets.on('error', (error) => log.error({ err: error }, 'the WebSocket server failed'))

  function closeEndedSessions() {
    const now = new Date()
    for (const socket of sockets.clients) {
      const expiresAt = principals.get(socket)?.expiresAt
      if (expiresAt && expiresAt <= now) socket.close(FORBIDDEN, 'The session has ended: sign in again.')
    }
  }
  const sessionCheck = setInterval(closeEndedSessions, SESSION_CHECK_MS)

  return async () => {
    clearInterval(sessionCheck)
    const cut = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate()
    }, CLOSE_GRACE_MS)
    await dispose()
    clearTimeout(cut)
  }
}

/** The error with the code that HTTP gives it too. */
function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, extensions } = error
  return new GraphQLError(message, { nodes, source, positions, extensions: { code, ...extensions } })
}

/** Browsers name the origin of the page that connects; programs name none, and need none. */
function mayConnect({ headers: { origin, host } }: IncomingMessage, allowedOrigins: string[]): boolean {
  if (origin === undefined || allowedOrigins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}
