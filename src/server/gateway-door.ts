import type { IncomingMessage, ServerResponse } from 'node:http'
import type { GatewayDependencies } from '../gateway/gateway.ts'
import type { ClientAddress } from './client-address.ts'
import { originOf } from './credentials.ts'
import { isOwnOrAllowedOrigin, type OriginSettings } from './origins.ts'
import { RATE_LIMIT_HEADERS, type RateLimits, setRateLimitHeaders } from './rate-limits.ts'

/** What pages may read besides what browsers always let them. */
const EXPOSED_HEADERS = ['X-Request-Id', ...RATE_LIMIT_HEADERS].join(', ')
/** How long a browser may remember what it was told about requests to a path, in seconds. */
const REMEMBERED_SECONDS = 600

/** What the gateway shares with the rest of the API: where requests may come from, and how many there may be. */
export function createGatewayDoor(deps: {
  clientAddress: ClientAddress
  rateLimits: RateLimits
  origins: OriginSettings
}): Pick<GatewayDependencies, 'originOf' | 'admitPage' | 'countRequest'> {
  return {
    admitPage(req, res, method) {
      const { origin } = req.headers
      const isQuestion = req.method === 'OPTIONS'
      if (origin !== undefined) {
        res.setHeader('Vary', 'Origin')
        if (isOwnOrAllowedOrigin(req.headers, deps.origins)) {
          // Without credentials: who asks says so by a token, never by a cookie.
          res.setHeader('Access-Control-Allow-Origin', origin)
          if (isQuestion) setAllowances(req, res, method)
          else res.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS)
        }
      }
      if (!isQuestion) return false
      res.setHeader('Allow', `${method}, OPTIONS`)
      res.writeHead(204)
      res.end()
      return true
    },
    originOf: (req) => originOf(req, deps.clientAddress(req)),
    async countRequest(req, res, principal) {
      const allowance = await deps.rateLimits.countRequest({ principal, address: deps.clientAddress(req) })
      if (!allowance) return null
      setRateLimitHeaders(res, allowance)
      return allowance.isExceeded ? allowance.resetSeconds : null
    },
  }
}

/** What a page may send. Any header: those of OpenAI's own client are many, and change. */
function setAllowances(req: IncomingMessage, res: ServerResponse, method: string): void {
  const { 'access-control-request-headers': asked } = req.headers
  res.setHeader('Access-Control-Allow-Methods', method)
  if (asked !== undefined) res.setHeader('Access-Control-Allow-Headers', asked)
  res.setHeader('Access-Control-Max-Age', REMEMBERED_SECONDS)
}
