import type { IncomingMessage } from 'node:http'
import type { Plugin } from 'graphql-yoga'
import type { ClientAddress } from '../client-address.ts'
import type { ErrorMask } from '../mask-errors.ts'
import type { NodeRequest } from '../node-request.ts'
import { type RateLimits, setRateLimitHeaders } from '../rate-limits.ts'
import { graphiqlPage } from './graphiql.ts'
import type { Page } from './page.ts'
import { signInPage } from './sign-in.ts'

/** What our pages are given with. */
export interface PageDependencies {
  graphiql: 'everyone' | 'signed-in' | 'off'
  /** Whether a browser comes with a session, so that its visitor need not sign in. */
  hasSession: (req: IncomingMessage) => Promise<boolean>
  clientAddress: ClientAddress
  rateLimits: RateLimits
  maskError: ErrorMask
}

/** Gives a browser that opens the address of the API a page: GraphiQL, or one to sign in on first. */
export function usePages(deps: PageDependencies): Plugin<object, NodeRequest> {
  const { graphiql, hasSession, clientAddress, rateLimits, maskError } = deps

  /** Pages are counted as requests without credentials, because finding out about a cookie is work. */
  async function mayHavePage({ req, res }: NodeRequest): Promise<boolean> {
    const allowance = await rateLimits.countRequest({ principal: null, address: clientAddress(req) })
    if (allowance) setRateLimitHeaders(res, allowance)
    return !allowance?.isExceeded
  }

  async function pageFor(req: IncomingMessage): Promise<Page> {
    return graphiql === 'everyone' || (await hasSession(req)) ? graphiqlPage() : signInPage()
  }

  return {
    async onRequest({ request, serverContext, endResponse, fetchAPI }) {
      const wantsPage = request.method === 'GET' && request.headers.get('accept')?.includes('text/html')
      if (graphiql === 'off' || !wantsPage) return
      const say = (text: string, status: number) =>
        endResponse(new fetchAPI.Response(`${text}\n`, { status, headers: { 'Content-Type': 'text/plain' } }))
      try {
        if (!(await mayHavePage(serverContext))) return say('Too many requests: try again in a moment.', 429)
        const { html, contentSecurityPolicy } = await pageFor(serverContext.req)
        const headers = {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Security-Policy': contentSecurityPolicy,
          'Cache-Control': 'no-store',
        }
        endResponse(new fetchAPI.Response(html, { headers }))
      } catch (error) {
        // Nobody else would mask it: here yoga answers with the stack.
        say(maskError(error).message, 500)
      }
    },
  }
}
