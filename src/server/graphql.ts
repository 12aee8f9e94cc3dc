import type { ExecutionArgs, GraphQLError, GraphQLSchema } from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Logger } from 'pino'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import type { Origin, Principal } from '../domains/accounts/principal.ts'
import { UnauthenticatedError } from '../errors.ts'
import { findBadConnectionArguments } from '../graphql/connection-arguments.ts'
import type { Context } from '../graphql/context.ts'
import { toClientError } from '../graphql/errors.ts'
import { identify, originOf } from './authenticate.ts'
import { renderGraphiql } from './graphiql.ts'
import type { ErrorMask } from './mask-errors.ts'
import { GRAPHQL_PATH } from './paths.ts'
import { createSessionCookie, NO_COOKIE } from './session-cookie.ts'
import { type NodeRequest, useStreamedUploads } from './uploads.ts'

/** What the API needs to be served. */
export interface GraphqlDependencies {
  schema: GraphQLSchema
  log: Logger
  maskError: ErrorMask
  authenticate: Authenticate
  /** The context of an operation. */
  contextOf: (caller: Caller) => Context
  /** Whether browsers may send the cookie of a session over HTTPS only. */
  secureCookie: boolean
  graphiql: boolean
  /** Other origins whose pages may use the API. */
  allowedOrigins: string[]
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
  const { schema, log, contextOf } = deps

  /** Credentials that do not count, such as an old token, keep nobody from what needs none, such as to sign in. */
  async function callerOf(header: unknown, origin: Origin): Promise<Pick<Caller, 'principal' | 'refusal'>> {
    try {
      return { principal: await identify(deps.authenticate, header, origin), refusal: null }
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error
      return { principal: null, refusal: error }
    }
  }

  return createYoga<NodeRequest & Partial<SocketContext>, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    landingPage: false,
    graphiql: false,
    multipart: false,
    batching: false,
    cors: deps.allowedOrigins.length > 0 && { origin: deps.allowedOrigins, credentials: true },
    plugins: [
      useStreamedUploads(),
      useConnectionArguments(),
      {
        onRequest({ request, url, endResponse, fetchAPI }) {
          const wantsPage = request.method === 'GET' && request.headers.get('accept')?.includes('text/html')
          if (!deps.graphiql || url.pathname !== GRAPHQL_PATH || !wantsPage) return
          endResponse(
            new fetchAPI.Response(renderGraphiql(), {
              headers: { 'Content-Type': 'text/html; charset=utf-8' },
            }),
          )
        },
      },
    ],
    context: async ({ req, res, principal }) => {
      const origin = originOf(req, req.socket.remoteAddress)
      if (principal !== undefined) {
        return contextOf({ principal, refusal: null, origin, sessionCookie: NO_COOKIE })
      }
      return contextOf({
        ...(await callerOf(req.headers.authorization, origin)),
        origin,
        sessionCookie: createSessionCookie(req, res, { secure: deps.secureCookie, isTrusted: true }),
      })
    },
    maskedErrors: { maskError: deps.maskError },
    // What matters is logged by maskError; the mistakes of clients are told to them.
    logging: {
      debug: (...args) => log.debug({ args }, 'yoga'),
      info: (...args) => log.debug({ args }, 'yoga'),
      warn: (...args) => log.debug({ args }, 'yoga'),
      error: (...args) => log.debug({ args }, 'yoga'),
    },
  })
}

/** What is wrong with page sizes and cursors of an operation, which is then not executed. */
export function badConnectionArguments(args: ExecutionArgs): GraphQLError[] {
  return findBadConnectionArguments(args).map((error) => toClientError(error) ?? error)
}

function useConnectionArguments(): Plugin {
  const check = (args: ExecutionArgs, stop: (result: { errors: GraphQLError[] }) => void) => {
    const errors = badConnectionArguments(args)
    if (errors.length > 0) stop({ errors })
  }
  return {
    onExecute: ({ args, setResultAndStopExecution }) => check(args, setResultAndStopExecution),
    onSubscribe: ({ args, setResultAndStopExecution }) => check(args, setResultAndStopExecution),
  }
}
