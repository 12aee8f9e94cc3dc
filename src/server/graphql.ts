import type { IncomingMessage } from 'node:http'
import type { GraphQLSchema } from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Principal } from '../domains/accounts/principal.ts'
import type { Context } from '../graphql/context.ts'
import { useReadAnswers } from './answer-limits.ts'
import { useLimitedBodies } from './bodies.ts'
import type { ClientAddress } from './client-address.ts'
import { originOf } from './credentials.ts'
import { useCsrfPrevention } from './csrf.ts'
import { createDocumentCaches } from './document-caches.ts'
import { useGetRequests } from './get-requests.ts'
import { createIdentification } from './identify.ts'
import type { ErrorMask } from './mask-errors.ts'
import type { NodeRequest } from './node-request.ts'
import { type OperationChecks, useOperationChecks } from './operation-checks.ts'
import { isOwnOrAllowedOrigin, type OriginSettings } from './origins.ts'
import { usePages } from './pages/plugin.ts'
import { GRAPHQL_PATH } from './paths.ts'
import { RATE_LIMIT_HEADERS, type RateLimits } from './rate-limits.ts'
import { createSessionCookie, NO_COOKIE } from './session-cookie.ts'
import type { TrustedDocuments } from './trusted-documents.ts'
import { useStreamedUploads } from './uploads.ts'

/** What the API needs to be served. */
export interface GraphqlDependencies {
  schema: GraphQLSchema
  maskError: ErrorMask
  authenticate: Authenticate
  /** The context of an operation. */
  contextOf: (caller: Caller) => Context
  /** Whether browsers may send the cookie of a session over HTTPS only. */
  secureCookie: boolean
  checks: OperationChecks
  rateLimits: RateLimits
  clientAddress: ClientAddress
  /** Null where any document is performed. */
  trustedDocuments: TrustedDocuments | null
  origins: OriginSettings
  graphiql: 'everyone' | 'signed-in' | 'off'
  /** Whether a browser comes with a session, so that its visitor need not sign in. */
  hasSession: (req: IncomingMessage) => Promise<boolean>
}

/** Whom an operation is performed for. */
export type Caller = Pick<Context, 'principal' | 'refusal' | 'origin' | 'sessionCookie'>

/** What a socket hands over with an operation: who it speaks for was settled when it connected. */
export interface SocketContext {
  principal: Principal | null
}

export type GraphqlHandler = ReturnType<typeof createGraphqlHandler>

/** The HTTP side of the API; its envelope serves the WebSocket side too. */
export function createGraphqlHandler(deps: GraphqlDependencies) {
  const { schema, contextOf, clientAddress } = deps
  const identification = createIdentification(deps)
  return createYoga<NodeRequest & Partial<SocketContext>, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    landingPage: false,
    graphiql: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: false, // useLimitedBodies knows who may send how much
    parserAndValidationCache: createDocumentCaches(),
    // Both ways to name a document; without trusted documents neither is looked at.
    extraParamNames: ['documentId'],
    cors: (request) => corsFor(request.headers, deps.origins),
    plugins: [
      usePages(deps),
      useCsrfPrevention(),
      identification.plugin,
      useReadAnswers(identification.identityOf),
      useGetRequests(),
      useStreamedUploads(identification.identityOf),
      useLimitedBodies({ identityOf: identification.identityOf, rateLimits: deps.rateLimits }),
      useTrustedDocuments(deps.trustedDocuments),
      useOperationChecks(deps.checks, deps.rateLimits),
    ],
    context: async ({ req, res, principal }) => {
      const origin = originOf(req, clientAddress(req))
      if (principal !== undefined) {
        return contextOf({ principal, refusal: null, origin, sessionCookie: NO_COOKIE })
      }
      const isTrusted = isOwnOrAllowedOrigin(req.headers, deps.origins)
      const sessionCookie = createSessionCookie(req, res, { secure: deps.secureCookie, isTrusted })
      return contextOf({ ...(await identification.identityOf(req)), origin, sessionCookie })
    },
    maskedErrors: { maskError: deps.maskError },
    // What matters is logged by maskError. The mistakes of clients are told to them and to nobody else: they quote
    // what was sent, and that may be a password.
    logging: false,
  })
}

/** What a browser may let a page read; false for nothing, because it is the page of another site. */
function corsFor(headers: Headers, origins: OriginSettings) {
  const origin = headers.get('origin')
  const host = headers.get('host') ?? undefined
  if (origin === null || !isOwnOrAllowedOrigin({ origin, host }, origins)) return false
  return { origin: [origin], credentials: true, exposedHeaders: [...RATE_LIMIT_HEADERS] }
}

function useTrustedDocuments(documents: TrustedDocuments | null): Plugin {
  if (!documents) return {}
  return {
    onParams({ params, setParams }) {
      setParams({ ...params, query: documents.textOf(params) })
    },
  }
}
