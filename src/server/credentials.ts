import type { IncomingMessage } from 'node:http'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Origin, Principal } from '../domains/accounts/principal.ts'

/**
 * Who a request or a socket speaks for: null when it says nothing.
 *
 * @param header the value of an Authorization header, or what stands for it in connectionParams
 * @throws UnauthenticatedError when what it says does not count
 */
export async function identify(
  authenticate: Authenticate,
  header: unknown,
  origin: Origin,
): Promise<Principal | null> {
  if (typeof header !== 'string' || header.trim() === '') return null
  const bearer = /^Bearer\s+(\S+)$/i.exec(header.trim())?.[1] ?? header.trim()
  return authenticate(bearer, origin)
}

/**
 * The credentials in connectionParams: `Authorization`, in either case, or a bare `accessToken` or `token`; there,
 * or one level down in `headers`.
 */
export function credentialsOf(connectionParams: unknown): unknown {
  const params = entriesOf(connectionParams)
  const headers = entriesOf(params.get('headers'))
  const names = ['Authorization', 'authorization', 'accessToken', 'token']
  return names.map((name) => params.get(name) ?? headers.get(name)).find((value) => value !== undefined)
}

function entriesOf(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
}

/** Where a request comes from. @param address the client's address, as far as trusted proxies tell it */
export function originOf(req: IncomingMessage, address: string): Origin {
  return { address, userAgent: req.headers['user-agent'] ?? null }
}
