import type { IncomingMessage } from 'node:http'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Origin, Principal } from '../domains/accounts/principal.ts'
import { createRecentlyUsed } from '../streams/recently-used.ts'
import { GatewayError } from './errors.ts'

/**
 * How long a token that counted goes on to count without being looked up, in ms: programs send hundreds of requests
 * a second with the same one. So long, at most, one that is revoked still works.
 */
const REMEMBERED_MS = 1000
const MAX_REMEMBERED = 1000

/** Tells who sends a request. @throws GatewayError, UnauthenticatedError */
export type CallerOf = (req: IncomingMessage) => Promise<Principal>

/** Tells who sends requests by their bearer tokens. */
export function createCallers(
  authenticate: Authenticate,
  originOf: (req: IncomingMessage) => Origin,
  now: () => number = performance.now.bind(performance),
): CallerOf {
  const remembered = createRecentlyUsed<{ principal: Promise<Principal>; until: number }>(MAX_REMEMBERED)

  function principalOf(bearer: string, origin: Origin): Promise<Principal> {
    const known = remembered.get(bearer)
    if (known && now() < known.until) return known.principal
    const principal = authenticate(bearer, origin)
    const entry = { principal, until: now() + REMEMBERED_MS }
    remembered.add(bearer, entry, 1)
    principal.catch(() => {
      entry.until = 0
    })
    return principal
  }

  return async (req) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(req.headers.authorization?.trim() ?? '')?.[1]
    if (bearer === undefined) {
      throw new GatewayError(401, 'Give an API token in the header "Authorization: Bearer …".', {
        code: 'invalid_api_key',
      })
    }
    const origin = originOf(req)
    return { ...(await principalOf(bearer, origin)), origin }
  }
}
