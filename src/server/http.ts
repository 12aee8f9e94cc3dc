import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { GATEWAY_PATH, type Gateway } from '../gateway/gateway.ts'
import { pathOf } from '../request-path.ts'
import { DOWNLOADS_PATH } from './downloads.ts'
import type { GraphqlHandler } from './graphql.ts'
import type { Health } from './health.ts'
import { ACCOUNT_PAGES_PATH } from './pages/account/account-pages.ts'
import { GRAPHQL_PATH } from './paths.ts'
import { sendText } from './respond.ts'
import type { SecurityHeaders } from './security-headers.ts'

/** How long a client may take to send the headers of a request, in ms. */
const HEADERS_TIMEOUT_MS = 20_000
/** How long it may take to send a body that is no upload, in ms. */
const BODY_TIMEOUT_MS = 60_000
/** How long it may send nothing of an upload, which may take as long as it needs in all, in ms. */
const UPLOAD_IDLE_MS = 120_000

/** What answers the requests. */
export interface HttpDependencies {
  graphql: GraphqlHandler
  downloads: (req: IncomingMessage, res: ServerResponse) => Promise<void>
  accountPages: (req: IncomingMessage, res: ServerResponse) => void
  gateway: Gateway
  health: Health
  securityHeaders: SecurityHeaders
  log: Logger
}

/** The HTTP server, which does not listen yet. */
export function createHttpServer({
  graphql,
  downloads,
  accountPages,
  gateway,
  health,
  securityHeaders,
  log,
}: HttpDependencies): Server {
  const server = createServer((req, res) => {
    void answer(req, res).catch((error: unknown) => {
      // Without the query, which may be the signature of a link.
      log.error({ err: error, path: pathOf(req) }, 'a request failed')
      if (!res.headersSent) sendText(res, 500, 'Something went wrong in the server; its log says what.')
      else res.destroy()
    })
  })
  server.headersTimeout = HEADERS_TIMEOUT_MS
  // Uploads may take as long as they need; other bodies are timed below.
  server.requestTimeout = 0
  return server

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = pathOf(req)
    limitBodyTime(req)
    if (path.startsWith(GATEWAY_PATH)) {
      securityHeaders.setForPrograms(res)
      return gateway.answer(req, res)
    }
    securityHeaders.set(req, res)
    // What follows makes URLs of it.
    if (!URL.canParse(`http://${req.headers.host || 'localhost'}`)) {
      return sendText(res, 400, 'The Host header is not that of a server.')
    }
    if (path === GRAPHQL_PATH) return void (await graphql(req, res))
    if (path.startsWith(DOWNLOADS_PATH)) return downloads(req, res)
    if (path.startsWith(ACCOUNT_PAGES_PATH)) return accountPages(req, res)
    if (path === '/healthz') return health.live(res)
    if (path === '/readyz') return health.ready(res)
    if (path === '/') {
      res.writeHead(302, { Location: GRAPHQL_PATH })
      res.end()
      return
    }
    sendText(res, 404, `There is nothing at ${path}. The API is at ${GRAPHQL_PATH}.`)
  }
}

function isMultipart(req: IncomingMessage): boolean {
  return req.headers['content-type']?.startsWith('multipart/form-data') ?? false
}

/** Cuts a client that sends its body too slowly: it would hold its connection for ever. */
function limitBodyTime(req: IncomingMessage): void {
  if (req.headers['content-length'] === undefined && req.headers['transfer-encoding'] === undefined) return
  const cut = () => req.destroy()
  if (isMultipart(req) && pathOf(req) === GRAPHQL_PATH) {
    req.setTimeout(UPLOAD_IDLE_MS, cut)
    req.once('end', () => req.setTimeout(0))
    return
  }
  const timer = setTimeout(cut, BODY_TIMEOUT_MS)
  const stop = () => clearTimeout(timer)
  req.once('end', stop).once('close', stop)
}

/** The port cannot be listened on; the message says why, in one line. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

/** Starts to listen. @returns the port. @throws ListenError */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const reasons: Record<string, string> = {
        EADDRINUSE: 'another program is using it',
        EACCES: 'this user may not use it',
        EADDRNOTAVAIL: 'this machine does not have that address',
        ENOTFOUND: 'there is no such host',
      }
      reject(
        new ListenError(`Cannot listen on ${host}:${port}: ${reasons[error.code ?? ''] ?? error.message}.`),
      )
    })
    server.listen(port, host, resolve)
  })
  const address = server.address()
  return isAddressInfo(address) ? address.port : port
}

/** Stops listening and waits for the requests under way, for a while; then it cuts them. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(cut)
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
