import type { IncomingMessage } from 'node:http'
import type { Plugin } from 'graphql-yoga'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Principal } from '../domains/accounts/principal.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { ClientAddress } from './client-address.ts'
import { identify, originOf } from './credentials.ts'
import type { NodeRequest } from './node-request.ts'
import { type RateLimits, rateLimited, setRateLimitHeaders } from './rate-limits.ts'

/**
 * Whom a request speaks for; with `refusal` when it says so, but what it says does not count. Credentials that do
 * not count, such as an old token, keep nobody from what needs none, such as to sign in.
 */
export interface Identity {
  principal: Principal | null
  refusal: UnauthenticatedError | null
}

/** What finding out who asks needs. */
export interface IdentifyDependencies {
  authenticate: Authenticate
  clientAddress: ClientAddress
  rateLimits: RateLimits
}

/** Finds out, once for each request, who asks. */
export interface Identification {
  plugin: Plugin<object, NodeRequest>
  identityOf(req: IncomingMessage): Promise<Identity>
}

/**
 * Finds out who asks before anything of a request is read, and counts the request: what is expensive to read
 * must not be free for those who have no credentials, or wrong ones.
 */
export function createIdentification(deps: IdentifyDependencies): Identification {
  const { authenticate, clientAddress, rateLimits } = deps
  const identities = new WeakMap<IncomingMessage, Promise<Identity>>()

  function identityOf(req: IncomingMessage): Promise<Identity> {
    const identity = identities.get(req) ?? findIdentity(req)
    identities.set(req, identity)
    return identity
  }

  async function findIdentity(req: IncomingMessage): Promise<Identity> {
    try {
      const origin = originOf(req, clientAddress(req))
      return { principal: await identify(authenticate, req.headers.authorization, origin), refusal: null }
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error
      return { principal: null, refusal: error }
    }
  }

  return {
    plugin: {
      async onRequestParse({ serverContext: { req, res } }) {
        const { principal } = await identityOf(req)
        const allowance = await rateLimits.countRequest({ principal, address: clientAddress(req) })
        if (!allowance) return
        setRateLimitHeaders(res, allowance)
        if (allowance.isExceeded) throw rateLimited(allowance)
      },
    },
    identityOf,
  }
}
