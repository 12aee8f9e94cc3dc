import type { GatewayDependencies } from '../gateway/gateway.ts'
import type { ClientAddress } from './client-address.ts'
import { originOf } from './credentials.ts'
import { type RateLimits, setRateLimitHeaders } from './rate-limits.ts'

/** What the gateway shares with the rest of the API: where requests come from, and how many there may be. */
export function createGatewayDoor(deps: {
  clientAddress: ClientAddress
  rateLimits: RateLimits
}): Pick<GatewayDependencies, 'originOf' | 'countRequest'> {
  return {
    originOf: (req) => originOf(req, deps.clientAddress(req)),
    async countRequest(req, res, principal) {
      const allowance = await deps.rateLimits.countRequest({ principal, address: deps.clientAddress(req) })
      if (!allowance) return null
      setRateLimitHeaders(res, allowance)
      return allowance.isExceeded ? allowance.resetSeconds : null
    },
  }
}
