import type { IncomingMessage, Server } from 'node:http'
import { useServer } from 'graphql-ws/use/ws'
import type { Logger } from 'pino'
import { WebSocketServer } from 'ws'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Principal } from '../domains/accounts/principal.ts'
import { UnauthenticatedError } from '../errors.ts'
import { credentialsOf, identify, originOf } from './authenticate.ts'
import type { GraphqlHandler } from './graphql.ts'
import type { ErrorMask } from './mask-errors.ts'
import { GRAPHQL_PATH } from './paths.ts'
import { createSocketOperations } from './socket-operations.ts'

/** The largest message a client may send, in bytes. */
const MAX_FRAME_BYTES = 1024 * 1024
/** The close code of graphql-transport-ws for credentials that do not count. */
const FORBIDDEN = 4403
/** How often sockets are looked at for sessions that have ended, in ms; their streams end within 5 s. */
const SESSION_CHECK_MS = 2000
/**
 * How often clients are pinged, and how long one may take to answer, in ms. A client that reads slowly answers
 * late, behind all that is on its way to it; one that reads nothing for so long is cut, and may come back
 * with its cursor.
 */
const KEEP_ALIVE_MS = 30_000
/** How long a client may take to close its side when the server stops, in ms. */
const CLOSE_GRACE_MS = 2000

/** What serving the API on WebSockets needs. */
export interface SocketDependencies {
  server: Server
  graphql: GraphqlHandler
  authenticate: Authenticate
  maskError: ErrorMask
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
  authenticate,
  maskError,
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
  const operations = createSocketOperations({ graphql, maskError })

  const { dispose } = useServer(
    {
      execute: operations.execute,
      subscribe: operations.subscribe,
      async onConnect({ connectionParams, extra }) {
        try {
          const { request, socket } = extra
          const origin = originOf(request, request.socket.remoteAddress)
          principals.set(socket, await identify(authenticate, credentialsOf(connectionParams), origin))
        } catch (error) {
          if (!(error instanceof UnauthenticatedError)) throw error
          extra.socket.close(FORBIDDEN, error.message.slice(0, 120))
          return false
        }
      },
      onSubscribe({ extra: { request, socket } }, id, payload) {
        return operations.prepare({ id, payload, socket, request, principal: principals.get(socket) ?? null })
      },
    },
    sockets,
    KEEP_ALIVE_MS,
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

/** Browsers name the origin of the page that connects; programs name none, and need none. */
function mayConnect({ headers: { origin, host } }: IncomingMessage, allowedOrigins: string[]): boolean {
  if (origin === undefined || allowedOrigins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host
}
