import type { ExecutionArgs, GraphQLError, GraphQLSchema } from 'graphql'
import { createYoga, type Plugin } from 'graphql-yoga'
import type { Logger } from 'pino'
import type { Principal } from '../domains/accounts/principal.ts'
import { findBadConnectionArguments } from '../graphql/connection-arguments.ts'
import type { Context } from '../graphql/context.ts'
import { toClientError } from '../graphql/errors.ts'
import { authenticate } from './authenticate.ts'
import { renderGraphiql } from './graphiql.ts'
import type { ErrorMask } from './mask-errors.ts'
import { type NodeRequest, useStreamedUploads } from './uploads.ts'

/** Where the API lives, on HTTP and as a WebSocket. */
export const GRAPHQL_PATH = '/graphql'

/** What the API needs to be served. */
export interface GraphqlDependencies {
  schema: GraphQLSchema
  log: Logger
  maskError: ErrorMask
  /** The context of an operation of somebody. */
  contextOf: (principal: Principal | null) => Context
  graphiql: boolean
  /** Other origins whose pages may use the API. */
  allowedOrigins: string[]
}

/** What a socket hands over with an operation: who it speaks for was settled when it connected. */
export interface SocketContext {
  principal: Principal | null
}

export type GraphqlHandler = ReturnType<typeof createGraphqlHandler>

/** The HTTP side of the API; its envelope serves the WebSocket side too. */
export function createGraphqlHandler(deps: GraphqlDependencies) {
  const { schema, log, contextOf } = deps
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
    context: async ({ request, principal }) => {
      if (principal !== undefined) return contextOf(principal)
      const { services } = contextOf(null)
      return contextOf(await authenticate(services.accounts, request?.headers.get('authorization')))
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
