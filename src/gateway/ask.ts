import type { IncomingMessage } from 'node:http'
import { createRecentlyUsed } from '../streams/recently-used.ts'
import type { Upstream } from './model-directory.ts'
import type { ModelRequest } from './model-request.ts'
import type { ModelServers } from './model-servers.ts'

/** What a model server is to be asked. */
export interface Question {
  upstream: Upstream
  /** Of the API, e.g. /v1/chat/completions. */
  path: string
  headers: Record<string, string>
  request: ModelRequest
  signal: AbortSignal
}

/** What a model server has answered. */
export interface Reply {
  answer: IncomingMessage
  /** Whether we have asked for the usage of a stream, and the client has not. */
  isUsageForUs: boolean
}

/** With these, engines refuse a field that they do not know, besides much else. */
const REFUSED_FIELDS = [400, 422]
/** How many deployments are remembered that tell no usage. */
const MAX_REMEMBERED = 1000

/** Asks model servers for the usage of streams too, except those that have refused a request for that. */
export function createAsk(modelServers: ModelServers) {
  /** Of engines such as `transformers serve`, which refuse any request with `stream_options`. */
  const tellNoUsage = createRecentlyUsed<true>(MAX_REMEMBERED)

  /** @throws what the connection says */
  return async function ask({ upstream, path, headers, request, signal }: Question): Promise<Reply> {
    const send = (body: Buffer) => modelServers.send({ url: upstream.url + path, headers, body, signal })
    if (!request.bodyWithUsage || tellNoUsage.get(upstream.deploymentId)) {
      return { answer: await send(request.body), isUsageForUs: false }
    }
    const answer = await send(request.bodyWithUsage)
    if (!REFUSED_FIELDS.includes(answer.statusCode ?? 0)) return { answer, isUsageForUs: true }
    // It may be the client's fault or that of what we have added: only the request as it came can tell.
    answer.resume()
    const plainAnswer = await send(request.body)
    if (isSuccess(plainAnswer)) tellNoUsage.add(upstream.deploymentId, true, 1)
    return { answer: plainAnswer, isUsageForUs: false }
  }
}

/** Whether a model server does what it was asked. */
export function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300
}
