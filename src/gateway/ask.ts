import { createRecentlyUsed } from '../streams/recently-used.ts'
import type { Upstream } from './model-directory.ts'
import type { ModelRequest } from './model-request.ts'
import type { AnswerHead, AnswerReader, BeginAnswer, ModelServers } from './model-servers.ts'

/** What a model server is to be asked. */
export interface Question {
  upstream: Upstream
  /** Of the API, e.g. /v1/chat/completions. */
  path: string
  /** Names and values in turn. */
  headers: string[]
  request: ModelRequest
  signal: AbortSignal
  /**
   * Decides who reads the answer.
   *
   * @param isUsageForUs whether we have asked for the usage of a stream, and the client has not
   */
  begin: (head: AnswerHead, resume: () => void, isUsageForUs: boolean) => AnswerReader
}

/** With these, engines refuse a field that they do not know, besides much else. */
const REFUSED_FIELDS = [400, 422]
/** How many deployments are remembered that tell no usage. */
const MAX_REMEMBERED = 1000

/** Reads an answer that nobody wants. */
const NOBODY: AnswerReader = { take: () => true, end: () => undefined }

/** Asks model servers for the usage of streams too, except those that have refused a request for that. */
export function createAsk(modelServers: ModelServers) {
  /** Of engines such as `transformers serve`, which refuse any request with `stream_options`. */
  const tellNoUsage = createRecentlyUsed<true>(MAX_REMEMBERED)

  /** Resolves when all of the answer has been taken. @throws what the connection says */
  return async function ask({ upstream, path, headers, request, signal, begin }: Question): Promise<void> {
    const { url, deploymentId } = upstream
    const send = (body: Buffer, beginWith: BeginAnswer) =>
      modelServers.send({ url, path, headers, body, signal, begin: beginWith })

    if (!request.bodyWithUsage || tellNoUsage.get(deploymentId)) {
      return send(request.body, (head, resume) => begin(head, resume, false))
    }
    let isRefused = false
    await send(request.bodyWithUsage, (head, resume) => {
      isRefused = REFUSED_FIELDS.includes(head.status)
      return isRefused ? NOBODY : begin(head, resume, true)
    })
    if (!isRefused) return
    // It may be the client's fault or that of what we have added: only the request as it came can tell.
    await send(request.body, (head, resume) => {
      if (isSuccess(head)) tellNoUsage.add(deploymentId, true, 1)
      return begin(head, resume, false)
    })
  }
}

/** Whether a model server does what it was asked. */
export function isSuccess({ status }: AnswerHead): boolean {
  return status >= 200 && status < 300
}
