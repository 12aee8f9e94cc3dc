import type { IncomingHttpHeaders } from 'node:http'
import { Agent, Client, type Dispatcher, errors } from 'undici'
import { isErrno } from '../storage/errno.ts'

/**
 * How long a connection to a model server is kept without use, in ms. uvicorn, below vLLM and most others, closes
 * its side after 5 s; whoever writes into a connection that is just being closed loses the request.
 */
const IDLE_MS = 4000

/** How model servers are asked: one request at a time on a connection, and no clock but that of the gateway. */
const CONNECTIONS = { pipelining: 1, keepAliveTimeout: IDLE_MS, headersTimeout: 0, bodyTimeout: 0 }

/** The beginning of an answer. */
export interface AnswerHead {
  status: number
  headers: IncomingHttpHeaders
}

/** Takes the body of an answer as it comes. */
export interface AnswerReader {
  /** @returns whether more may come now; else nothing does until `resume` is called */
  take(chunk: Buffer): boolean
  /** That was all. */
  end(): void
}

/** Decides, when the head of an answer has come, who reads its body. */
export type BeginAnswer = (head: AnswerHead, resume: () => void) => AnswerReader

/** A request to a model server. */
export interface Order {
  /** Where to, without a path, e.g. http://127.0.0.1:8100. */
  url: string
  path: string
  /** Names and values in turn. */
  headers: string[]
  body: Buffer
  /** Cuts it, at any time until the answer has ended. */
  signal: AbortSignal
  begin: BeginAnswer
}

/** The connections to the model servers. */
export interface ModelServers {
  /** Sends a request; resolves when all of the answer has been taken. @throws what the connection says */
  send(order: Order): Promise<void>
}

/** Keeps connections to model servers, so that a request need not open one. */
export function createModelServers(): ModelServers {
  const agent = new Agent(CONNECTIONS)

  return {
    async send(order) {
      let hasBegun = false
      const begin: BeginAnswer = (head, resume) => {
        hasBegun = true
        return order.begin(head, resume)
      }
      try {
        await exchange(agent, { ...order, begin })
      } catch (error) {
        if (hasBegun || order.signal.aborted || !isStale(error)) throw error
        const fresh = new Client(order.url, CONNECTIONS)
        await exchange(fresh, order).finally(() => void fresh.close())
      }
    },
  }
}

/** Whether a model server may have closed a connection, which had been idle, before it saw the request. */
function isStale(error: unknown): boolean {
  if (error instanceof errors.SocketError) return (error.socket?.bytesRead ?? 0) > 0
  return isErrno(error, 'ECONNRESET', 'EPIPE')
}

/** (By the lowest interface of the library: a promise for each part takes twice as long for a short answer.) */
function exchange(
  connections: Dispatcher,
  { url, path, headers, body, signal, begin }: Order,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let controller: Dispatcher.DispatchController | null = null
  let reader: AnswerReader | null = null
  const cut = () => {
    const error = new Error('The request was cut.')
    controller?.abort(error)
    reject(error) // also while there is no connection yet
  }
  signal.addEventListener('abort', cut, { once: true })
  connections.dispatch(
    { origin: url, path, method: 'POST', headers, body },
    {
      onRequestStart(started) {
        controller = started
        if (signal.aborted) cut()
      },
      onResponseStart(_, status, head) {
        // What comes before the answer, such as early hints, is no answer.
        if (status >= 200) reader = begin({ status, headers: head }, () => controller?.resume())
      },
      onResponseData(flow, chunk) {
        if (reader?.take(chunk) === false) flow.pause()
      },
      onResponseEnd() {
        reader?.end()
        resolve()
      },
      onResponseError: (_, error) => reject(error),
    },
  )
  return promise
}
