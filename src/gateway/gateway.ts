import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authenticate } from '../domains/accounts/authenticate.ts'
import { type Origin, type Principal, requireUser } from '../domains/accounts/principal.ts'
import { pathOf } from '../request-path.ts'
import { createCallers } from './callers.ts'
import { DEFECT, GatewayError, problemOf, rightsEnded, sendJson, sendProblem } from './errors.ts'
import { type Admitted, createForward, type ForwardDependencies } from './forward.ts'
import { createModelServers } from './model-servers.ts'
import { findModel, listModels } from './models.ts'

/** Below this lives the API that clients of OpenAI speak. */
export const GATEWAY_PATH = '/v1/'

const MODELS_PATH = '/v1/models'
/** What goes to a model, whose server knows the same paths. */
const MODEL_PATHS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings']

/** What the gateway needs. */
export interface GatewayDependencies extends Omit<ForwardDependencies, 'modelServers' | 'underWay'> {
  authenticate: Authenticate
  /** Where a request comes from. */
  originOf: (req: IncomingMessage) => Origin
  /** Lets pages of certain origins read the answer. @returns whether the request is only the question for that */
  admitPage: (req: IncomingMessage, res: ServerResponse, method: string) => boolean
  /**
   * Counts a request, and tells the client in headers what it may still ask.
   *
   * @param principal null when it has no valid token
   * @returns after how many seconds it may come again; null when it may now
   */
  countRequest: (
    req: IncomingMessage,
    res: ServerResponse,
    principal: Principal | null,
  ) => Promise<number | null>
}

export interface Gateway {
  /** Answers a request below `GATEWAY_PATH`. */
  answer(req: IncomingMessage, res: ServerResponse): Promise<void>
  /** The requests to models that are under way, and whom each is for. */
  underWay(): [AbortController, Principal][]
  /** Ends one of them, because the token that it came with counts no more. */
  endRights(request: AbortController): void
}

type Route = (admitted: Admitted) => Promise<void>

/**
 * An API as OpenAI's, in front of the deployments: it finds out who asks, sends each request to the model that it
 * names, and passes the answers on as they come.
 */
export function createGateway({
  authenticate,
  originOf,
  admitPage,
  countRequest,
  directory,
  limits,
  log,
}: GatewayDependencies): Gateway {
  const callerOf = createCallers(authenticate, originOf)
  const underWay = new Map<AbortController, Principal>()
  const forward = createForward({ directory, limits, log, underWay, modelServers: createModelServers() })

  /** Whether somebody may come in: everybody counts, also those who are not let in. */
  async function enter(req: IncomingMessage, res: ServerResponse): Promise<Principal> {
    const caller = await callerOf(req).then(
      (principal) => ({ principal }),
      (error: unknown) => ({ principal: null, error }),
    )
    const seconds = await countRequest(req, res, caller.principal)
    if (seconds !== null) {
      throw new GatewayError(429, `Too many requests: try again in ${seconds} s.`, {
        code: 'rate_limit_exceeded',
      })
    }
    if (caller.principal === null) throw caller.error
    return caller.principal
  }

  const toModel: Route = async (admitted) => {
    // Who may only read may not spend the time of a GPU.
    requireUser(admitted.principal, 'RUN')
    await forward(admitted)
  }

  const allModels: Route = async ({ res, principal }) => {
    sendJson(res, 200, listModels(await directory.list(requireUser(principal, 'READ'))))
  }

  const oneModel: Route = async ({ res, principal, path }) => {
    // Names such as org/name come with a slash, or with %2F for it.
    const name = decoded(path.slice(MODELS_PATH.length + 1))
    sendJson(res, 200, findModel(await directory.list(requireUser(principal, 'READ')), name))
  }

  function routeOf(path: string): { method: string; route: Route } {
    if (MODEL_PATHS.includes(path)) return { method: 'POST', route: toModel }
    if (path === MODELS_PATH) return { method: 'GET', route: allModels }
    if (path.startsWith(`${MODELS_PATH}/`)) return { method: 'GET', route: oneModel }
    throw new GatewayError(404, `There is nothing at ${path}.`, { code: 'unknown_url' })
  }

  async function take(req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> {
    const arrivedAt = performance.now()
    const path = pathOf(req)
    const { method, route } = routeOf(path)
    if (admitPage(req, res, method)) return
    if (req.method !== method) {
      res.setHeader('Allow', `${method}, OPTIONS`)
      throw new GatewayError(405, `${path} takes ${method} only.`)
    }
    await route({ req, res, principal: await enter(req, res), path, requestId, arrivedAt })
  }

  return {
    async answer(req, res) {
      const requestId = requestIdOf(req)
      res.setHeader('X-Request-Id', requestId)
      try {
        await take(req, res, requestId)
      } catch (error) {
        const problem = problemOf(error)
        if (!problem)
          log.error({ err: error, requestId, path: pathOf(req) }, 'a request to the gateway failed')
        if (res.headersSent) res.destroy()
        else if (!res.destroyed) sendProblem(res, problem ?? DEFECT)
        // What is left of a body that nobody wants is read all the same: many clients take the answer only then.
        req.resume()
      }
    },
    underWay: () => [...underWay],
    endRights: (request) => request.abort(rightsEnded()),
  }
}

/** The id that the client gave its request, if it can stand in a log; one of ours otherwise. */
function requestIdOf({ headers }: IncomingMessage): string {
  const { 'x-request-id': given } = headers
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    throw new GatewayError(400, 'The name of the model is not well encoded.', { param: 'model' })
  }
}
