import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type ApiClient, createClient, type Operation } from '../client/client.ts'
import { ConnectionError, reasonOf } from '../client/errors.ts'
import { createPauses, type PauseLimits } from '../client/pauses.ts'
import {
  AgentAssignmentDocument,
  type AgentAssignmentQuery,
  AgentHeartbeatDocument,
  AgentOrdersDocument,
  AgentPutResultDocument,
  AgentRegisterDocument,
  AgentReleaseDocument,
  AgentRemoveResultsDocument,
  AgentReportDocument,
  AgentUploadDocument,
  type OrderFragment,
  type OrdersFragment,
  type PutExecutionResultInput,
  type RegisterAgentInput,
  type ReportExecutionInput,
  type SendHeartbeatInput,
  type UploadExecutionFileInput,
} from '../generated/operations.ts'
import { RefusedError, UnreachableError } from './errors.ts'

/** What the server takes a machine to be. */
export interface RegisteredNode {
  id: string
  name: string
}

/** A command, as the server gives it. */
export type GivenAssignment = AgentAssignmentQuery['assignment']

/** How one call is made. */
export interface CallOptions {
  /** Ends it; it fails with the signal's reason. */
  signal?: AbortSignal
  /** How long the server may take to answer, in ms. */
  answerMs?: number
  /** How long it may all take, in ms, sending included. */
  attemptMs?: number
}

/**
 * The server, as an agent knows it. What fails for reasons that pass, such as a broken connection or a full disk of
 * the server, is asked again until it works or the signal is aborted, but for `register` and `heartbeat`: those fail
 * with UnreachableError, because what they say would be old. Everything throws RefusedError.
 */
export interface Connection {
  register(input: RegisterAgentInput, options?: CallOptions): Promise<RegisteredNode>
  heartbeat(input: SendHeartbeatInput, options?: CallOptions): Promise<OrdersFragment>
  /** What to do, whenever that changes; made again whenever the connection breaks. Ends with the signal. */
  orders(signal: AbortSignal): AsyncIterableIterator<OrdersFragment>
  assignment(executionId: string, options?: CallOptions): Promise<GivenAssignment>
  /** @param input is asked for before each attempt */
  report(input: () => Promise<ReportExecutionInput>, options?: CallOptions): Promise<OrderFragment>
  /** @param input is asked for before each attempt @returns how much of the file the server has, in bytes */
  upload(input: () => Promise<UploadExecutionFileInput>, options?: CallOptions): Promise<number>
  /** @returns what the server lacks of the result: nothing when it is in its place */
  putResult(input: PutExecutionResultInput, options?: CallOptions): Promise<MissingFile[]>
  removeResults(executionId: string, names: string[], options?: CallOptions): Promise<void>
  release(executionId: string, options?: CallOptions): Promise<void>
  close(): Promise<void>
}

/** A file of a result that the server lacks. */
export interface MissingFile {
  path: string
  sha256: string
  /** How much of it is there, in bytes. */
  receivedBytes: number
}

/** How long the server may take to answer, in ms, before it is asked anew. */
const ANSWER_MS = 15_000
/** How often it is pinged, in ms: a cable that was pulled tells nobody. */
const KEEP_ALIVE_MS = 5000
/** Who lost the server comes back within a few seconds of it, but not everybody at once. */
const PAUSES: PauseLimits = { firstMs: 250, longestMs: 5000 }

/** Codes of refusals; whatever else goes wrong may pass. */
const REFUSALS = [
  'VALIDATION_FAILED',
  'NOT_FOUND',
  'CONFLICT',
  'PRECONDITION_FAILED',
  'UNAUTHENTICATED',
  'FORBIDDEN',
]

/** @param url where the server is, without /graphql */
export function createConnection(url: string, token: string, log: Logger): Connection {
  const client = createClient(url, {
    answerMs: ANSWER_MS,
    keepAliveMs: KEEP_ALIVE_MS,
    reconnect: PAUSES,
  })
  client.useToken(token)
  const pauses = createPauses(PAUSES)
  let isReached = true

  /** One attempt. @throws RefusedError, UnreachableError */
  async function ask<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    { signal, answerMs, attemptMs }: CallOptions = {},
  ): Promise<Data> {
    const limit = attemptMs === undefined ? null : AbortSignal.timeout(attemptMs)
    const either = limit && signal ? AbortSignal.any([limit, signal]) : (limit ?? signal)
    const answer = await client
      .ask(operation, variables, { answerMs, signal: either })
      .catch((error: unknown) => {
        signal?.throwIfAborted()
        const isSlow = limit?.aborted === true
        if (!isSlow && !(error instanceof ConnectionError)) throw error
        const reason = isSlow ? `It took longer than ${attemptMs} ms.` : reasonOf(error)
        throw new UnreachableError(reason, { cause: error })
      })
    const [error] = answer.errors ?? []
    if (!error && answer.data) return answer.data
    const { code, retryAfterSeconds } = { ...error?.extensions }
    const message = error?.message ?? 'The server answered nothing.'
    if (REFUSALS.includes(String(code))) throw new RefusedError(String(code), message)
    throw new UnreachableError(message, { waitMs: 1000 * (Number(retryAfterSeconds) || 0) })
  }

  /** Until it works. */
  async function insist<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      try {
        const result = await attempt()
        pauses.reset()
        if (!isReached) log.info('the server is reached again')
        isReached = true
        return result
      } catch (error) {
        signal?.throwIfAborted()
        if (!(error instanceof UnreachableError)) throw error
        if (isReached) log.warn({ reason: error.message }, 'the server is not reached; trying again')
        isReached = false
        if (error.waitMs > 0) await sleep(error.waitMs, undefined, { signal })
        else await pauses.wait(signal)
        signal?.throwIfAborted()
      }
    }
  }

  return {
    async register(input, options) {
      return accepted((await ask(AgentRegisterDocument, { input }, options)).registerAgent)
    },
    async heartbeat(input, options) {
      return accepted((await ask(AgentHeartbeatDocument, { input }, options)).sendHeartbeat)
    },
    orders: (signal) => ordersOf(client, signal),
    assignment: (executionId, options) =>
      insist(
        async () => (await ask(AgentAssignmentDocument, { executionId }, options)).assignment,
        options?.signal,
      ),
    report: (input, options) =>
      insist(
        async () =>
          accepted((await ask(AgentReportDocument, { input: await input() }, options)).reportExecution),
        options?.signal,
      ),
    upload: (input, options) =>
      insist(async () => {
        const { uploadExecutionFile } = await ask(AgentUploadDocument, { input: await input() }, options)
        return accepted(uploadExecutionFile).receivedBytes
      }, options?.signal),
    putResult: (input, options) =>
      insist(async () => {
        const { putExecutionResult } = await ask(AgentPutResultDocument, { input }, options)
        return accepted(putExecutionResult).missing
      }, options?.signal),
    removeResults: (executionId, names, options) =>
      insist(async () => {
        const { removeExecutionResults } = await ask(
          AgentRemoveResultsDocument,
          { input: { executionId, names } },
          options,
        )
        accepted(removeExecutionResults)
      }, options?.signal),
    release: (executionId, options) =>
      insist(async () => {
        accepted((await ask(AgentReleaseDocument, { input: { executionId } }, options)).releaseExecution)
      }, options?.signal),
    close: () => client.close(),
  }
}

async function* ordersOf(client: ApiClient, signal: AbortSignal): AsyncIterableIterator<OrdersFragment> {
  for await (const { agentOrders } of client.watch(AgentOrdersDocument, {}, { signal })) yield agentOrders
}

/** What every error among the members of a result has. */
interface ErrorMember {
  code: string
  message: string
}

function isAccepted<Result extends object>(result: Result): result is Exclude<Result, ErrorMember> {
  return !('code' in result && 'message' in result)
}

/** What was asked for. @throws RefusedError, UnreachableError when the server says that it could not be had */
function accepted<Result extends object>(result: Result): Exclude<Result, ErrorMember> {
  if (isAccepted(result)) return result
  const { code, message }: Partial<ErrorMember> = result
  if (code === 'UNAVAILABLE') throw new UnreachableError(String(message), { waitMs: 1000 })
  throw new RefusedError(String(code), String(message))
}
