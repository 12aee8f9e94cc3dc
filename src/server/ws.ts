import type { IncomingMessage, Server } from 'node:http'
import { GraphQLError } from 'graphql'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Principal } from '../domains/accounts/principal.ts'
import { UnauthenticatedError } from '../errors.ts'
import { MAX_STRANGERS_BODY_BYTES } from './bodies.ts'
import type { ClientAddress } from './client-address.ts'
import { credentialsOf, identify, originOf } from './credentials.ts'
import { type EndOfRightsDependencies, watchEndOfRights } from './end-of-rights.ts'
import type { GraphqlHandler } from './graphql.ts'
import type { ErrorMask } from './mask-errors.ts'
import type { OperationChecks } from './operation-checks.ts'
import { isOwnOrAllowedOrigin, type OriginSettings } from './origins.ts'
import { GRAPHQL_PATH } from './paths.ts'
import type { RateLimits } from './rate-limits.ts'
import { createSocketLimits } from './socket-limits.ts'
import { createSocketOperations } from './socket-operations.ts'
import { speakProtocol } from './socket-protocol.ts'
import type { TrustedDocuments } from './trusted-documents.ts'

/** The largest message a client may send, in bytes. */
const MAX_FRAME_BYTES = 1024 * 1024
/** The close code of graphql-transport-ws for credentials that do not count. */
const FORBIDDEN = 4403
/** The close code of WebSockets for what cannot be taken now, and may be tried later. */
const TRY_AGAIN_LATER = 1013
/** How long a client may take to say who it is, in ms; then its socket is closed with 4408. */
const INIT_TIMEOUT_MS = 3000
/** Operations that one socket may run at the same time: as many as a script asks without waiting for answers. */
const MAX_OPERATIONS = 5000
/**
 * How often clients are pinged, and how long one may take to answer, in ms. A client that reads slowly answers
 * late, behind all that is on its way to it; one that reads nothing for so long is cut, and may come back
 * with its cursor.
 */
const KEEP_ALIVE_MS = 30_000
/** How long a client may take to close its side when the server stops, in ms. */
const CLOSE_GRACE_MS = 2000

/** What serving the API on WebSockets needs. */
export interface SocketDependencies extends EndOfRightsDependencies {
  server: Server
  graphql: GraphqlHandler
  authenticate: Authenticate
  maskError: ErrorMask
  checks: OperationChecks
  rateLimits: RateLimits
  clientAddress: ClientAddress
  trustedDocuments: TrustedDocuments | null
  origins: OriginSettings
  /** Sockets that one user, or one run, may have open. */
  socketsPerUser: number
}

/**
 * Serves the API to graphql-transport-ws clients on the port of the HTTP server.
 *
 * @returns a function that ends all sockets, telling clients to come back (1001), and cuts those that hang
 */
export function serveSockets(deps: SocketDependencies): () => Promise<void> {
  const { server, rateLimits, clientAddress, origins, log } = deps
  const sockets = new WebSocketServer({
    server,
    path: GRAPHQL_PATH,
    maxPayload: MAX_FRAME_BYTES,
    autoPong: false, // in speakProtocol
    verifyClient: ({ req }, answer) =>
      answer(isOwnOrAllowedOrigin(req.headers, origins), 403, 'Pages of this origin may not connect'),
  })
  const principals = new WeakMap<object, Principal | null>()
  const operations = createSocketOperations(deps)
  const limits = createSocketLimits(deps.socketsPerUser)

  speakProtocol({
    sockets,
    maxMessageBytes: (socket) => (principals.get(socket) ? MAX_FRAME_BYTES : MAX_STRANGERS_BODY_BYTES),
    keepAliveMs: KEEP_ALIVE_MS,
    log,
    options: {
      connectionInitWaitTimeout: INIT_TIMEOUT_MS,
      execute: operations.execute,
      subscribe: operations.subscribe,
      async onConnect({ connectionParams, extra: { socket, request } }) {
        const address = clientAddress(request)
        const principal = await speaksFor(request, connectionParams)
        const isNobody = principal === null || principal instanceof UnauthenticatedError
        const allowance = isNobody ? await rateLimits.countRequest({ principal: null, address }) : null
        if (principal instanceof UnauthenticatedError) {
          socket.close(FORBIDDEN, principal.message.slice(0, 120))
          return false
        }
        if (allowance?.isExceeded || !limits.assign(socket, principal, address)) return turnAway(socket)
        principals.set(socket, principal)
      },
      onSubscribe({ extra: { request, socket }, subscriptions }, id, payload) {
        if (Object.keys(subscriptions).length > MAX_OPERATIONS) return [TOO_MANY_OPERATIONS]
        return operations.prepare({ id, payload, socket, request, principal: principals.get(socket) ?? null })
      },
    },
  })
  sockets.on('connection', (socket, request) => {
    socket.on('close', () => limits.close(socket))
    if (!limits.open(socket, clientAddress(request))) turnAway(socket)
  })
  sockets.on('error', (error) => log.error({ err: error }, 'the WebSocket server failed'))

  /** Whom a socket speaks for; the error when what it says does not count. */
  async function speaksFor(
    request: IncomingMessage,
    connectionParams: unknown,
  ): Promise<Principal | null | UnauthenticatedError> {
    try {
      const origin = originOf(request, clientAddress(request))
      return await identify(deps.authenticate, credentialsOf(connectionParams), origin)
    } catch (error) {
      if (error instanceof UnauthenticatedError) return error
      throw error
    }
  }

  function signedIn(): [WebSocket, Principal][] {
    return [...sockets.clients].flatMap((socket) => {
      const principal = principals.get(socket)
      return principal ? [[socket, principal]] : []
    })
  }
  const stopWatching = watchEndOfRights(deps, signedIn, (socket) =>
    socket.close(FORBIDDEN, 'The session has ended, or its rights have changed: sign in again.'),
  )

  return async () => {
    stopWatching()
    const cut = setTimeout(() => {
      for (const socket of sockets.clients) socket.terminate()
    }, CLOSE_GRACE_MS)
    for (const socket of sockets.clients) socket.close(1001, 'The server stops: come back.')
    await new Promise<void>((resolve) => sockets.close(() => resolve()))
    clearTimeout(cut)
  }
}

const TOO_MANY_OPERATIONS = new GraphQLError(
  `One socket may run ${MAX_OPERATIONS} operations at the same time: end some, or open another.`,
  { extensions: { code: 'RATE_LIMITED' } },
)

/** Closes a socket that is one too many. */
function turnAway(socket: WebSocket): false {
  socket.close(TRY_AGAIN_LATER, 'Too many sockets or requests: try again later.')
  return false
}
