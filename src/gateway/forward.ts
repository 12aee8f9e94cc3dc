import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Principal } from '../domains/accounts/principal.ts'
import { isErrno } from '../storage/errno.ts'
import { createAsk, isSuccess } from './ask.ts'
import { bodyOf, CLIENT_LEFT, clientLeft, GatewayError, sendJson } from './errors.ts'
import type { ModelDirectory } from './model-directory.ts'
import { readModelRequest, withModelName } from './model-request.ts'
import type { AnswerHead, AnswerReader, ModelServers } from './model-servers.ts'
import type { PassingAnswer } from './passing-answer.ts'
import { createPatience, type Party } from './patience.ts'
import { createRefusalText, refusalOf } from './refusal.ts'
import { passingAnswerOf, relay } from './relay.ts'
import { createTally, type Tally } from './tally.ts'

/** What a request may take. */
export interface GatewayLimits {
  /** How large the body of a request may be. */
  maxBodyBytes: number
  /** How long a model server may say nothing, or a client take nothing, in ms. */
  silenceMs: number
}

/** What forwarding needs. */
export interface ForwardDependencies {
  directory: ModelDirectory
  modelServers: ModelServers
  limits: GatewayLimits
  /** Where requests under way are kept: what cuts each, and whom it is for. */
  underWay: Map<AbortController, Principal>
  log: Logger
}

/** A request that was let in. */
export interface Admitted {
  req: IncomingMessage
  res: ServerResponse
  principal: Principal
  /** Of the API, which is the same on a model server, e.g. /v1/chat/completions. */
  path: string
  requestId: string
  /** By `performance.now()`. */
  arrivedAt: number
}

/** Sends a request to the model that it names, and the answer back. @throws before the answer has begun */
export type Forward = (admitted: Admitted) => Promise<void>

/** Headers of a client that a model server may see: nothing that says who it is. */
const PASSED_HEADERS = ['accept', 'user-agent', 'traceparent', 'tracestate']

/** Brings requests and models together. */
export function createForward(deps: ForwardDependencies): Forward {
  const { directory, modelServers, limits, underWay, log } = deps
  const ask = createAsk(modelServers)

  return async (admitted) => {
    const { req, res, principal, path, requestId, arrivedAt } = admitted
    const cut = new AbortController()
    underWay.set(cut, principal)
    res.once('close', () => {
      underWay.delete(cut)
      if (!res.writableFinished) cut.abort(clientLeft())
    })
    const request = await readModelRequest(req, limits.maxBodyBytes)
    const upstream = await directory
      .acquire(principal, request.model, cut.signal)
      .catch((error: unknown) => Promise.reject(cut.signal.aborted ? cut.signal.reason : error))
    const patience = createPatience(limits.silenceMs, (who) => cut.abort(tooLong(who)))
    const tally = createTally(arrivedAt)
    let passing: PassingAnswer | null = null

    /** Decides who takes the answer. */
    function begin(head: AnswerHead, resume: () => void, isUsageForUs: boolean): AnswerReader {
      if (!isSuccess(head)) return refuse(head, res, tally)
      passing = passingAnswerOf(head, isUsageForUs)
      tally.begin(head.status, passing)
      return relay({ head, resume, to: res, answer: passing, tally, patience })
    }

    try {
      await ask({
        upstream,
        path,
        headers: headersFor(req, requestId),
        request: upstream.modelName === null ? request : withModelName(request, upstream.modelName),
        signal: cut.signal,
        begin,
      })
    } catch (error) {
      const broken = explain(error, cut.signal)
      tally.fail(broken.problem.status, broken.message)
      if (broken.problem.status !== CLIENT_LEFT) {
        // Not the error itself: with it may come a piece of what a model said.
        const reason = error instanceof Error ? error.message : String(error)
        log.warn({ reason, requestId, deploymentId: upstream.deploymentId }, broken.message)
      }
      if (!res.headersSent) throw broken
      endBroken(res, passing, broken)
    } finally {
      patience.end()
      upstream.release()
      directory.record(upstream.deploymentId, tally.total())
    }
  }
}

/** Passes on that a model server refuses a request. */
function refuse(head: AnswerHead, to: ServerResponse, tally: Tally): AnswerReader {
  const said = createRefusalText()
  return {
    take(chunk) {
      said.take(chunk)
      return true
    },
    end() {
      const { status, body, message } = refusalOf(head, said.text())
      tally.fail(status, message)
      const { 'retry-after': retryAfter } = head.headers
      if (retryAfter !== undefined) to.setHeader('Retry-After', retryAfter)
      sendJson(to, status, body)
    },
  }
}

/** Ends an answer that has begun and cannot go on, so that the client, if it still listens, notices. */
function endBroken(to: ServerResponse, passing: PassingAnswer | null, { problem }: GatewayError): void {
  const notice = problem.status === CLIENT_LEFT ? null : (passing?.breakNotice(bodyOf(problem)) ?? null)
  if (notice === null) to.destroy()
  else to.end(notice)
}

/** What broke a conversation with a model server, in words for the client. */
function explain(error: unknown, signal: AbortSignal): GatewayError {
  if (signal.aborted && signal.reason instanceof GatewayError) return signal.reason
  return isErrno(error, 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT')
    ? new GatewayError(502, 'The model server cannot be reached.', { code: 'model_server_unreachable' })
    : new GatewayError(502, 'The model server broke off before the end.', { code: 'model_server_failed' })
}

function tooLong(who: Party): GatewayError {
  return who === 'client'
    ? new GatewayError(CLIENT_LEFT, 'The client has taken nothing for too long.')
    : new GatewayError(504, 'The model server has said nothing for too long.', {
        code: 'model_server_timeout',
      })
}

/** Names and values in turn. */
function headersFor({ headers }: IncomingMessage, requestId: string): string[] {
  const passed = [
    'Content-Type',
    'application/json',
    // What is compressed cannot be read along.
    'Accept-Encoding',
    'identity',
    'X-Request-Id',
    requestId,
  ]
  for (const name of PASSED_HEADERS) {
    const value = headers[name]
    if (typeof value === 'string') passed.push(name, value)
  }
  return passed
}
