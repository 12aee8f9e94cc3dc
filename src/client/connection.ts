import type { FormattedExecutionResult } from 'graphql'
import { CloseCode, createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { keepAlive } from '../keep-alive.ts'
import { AnswerError, ConnectionError, reasonOf } from './errors.ts'

/** How soon a broken connection is noticed. */
export interface ConnectionLimits {
  /** How long the server may take to answer: to take the connection, and then each ping, in ms; without it, for ever. */
  answerMs?: number
  /** How often the server is pinged, in ms; without it, never. */
  keepAliveMs?: number
}

/** The subscriptions of a client, on one WebSocket while there are any. */
export interface Connection {
  /**
   * The results of an operation until it is over, or the signal is aborted, or the connection closed.
   *
   * @throws ConnectionError when the connection cannot be made, or breaks
   * @throws AnswerError when the server will not have it
   */
  results<Data>(
    operation: SubscribedOperation,
    signal: AbortSignal,
  ): AsyncIterable<FormattedExecutionResult<Data, unknown>>
  /** Ends the subscriptions at once; resolves when the socket is gone. */
  close(): Promise<void>
}

interface SubscribedOperation {
  query: string
  variables?: Record<string, unknown>
}

/** How long a server may take to say good-bye, in ms: one that is gone does not. */
const CLOSE_MS = 2000
/** What a server that refuses the message itself closes with: it would refuse it again. */
const REFUSALS = [CloseCode.BadRequest, CloseCode.SubprotocolNotAcceptable, 1009]

/** @param parameters who asks, which the server is told first */
export function createConnection(
  url: string,
  parameters: () => Record<string, string>,
  { answerMs, keepAliveMs }: ConnectionLimits,
): Connection {
  const sockets = new Set<WebSocket>()
  const subscriptions = new Set<() => void>()
  let isAccepted = false

  /** A socket that notices when nobody is there any more. */
  class WatchedSocket extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols, { handshakeTimeout: answerMs })
      sockets.add(this)
      // Every subscription listens for its end; they are no leak.
      this.setMaxListeners(0)
      let stop = () => {}
      this.on('open', () => {
        if (keepAliveMs !== undefined) {
          stop = keepAlive(this, { everyMs: keepAliveMs, answerMs: answerMs ?? keepAliveMs })
        }
      })
      this.on('close', () => {
        stop()
        sockets.delete(this)
      })
    }

    override close(code?: number, reason?: string | Buffer): void {
      super.close(code, reason)
      if (this.readyState === WebSocket.CLOSED) return
      const cut = setTimeout(() => this.terminate(), CLOSE_MS)
      this.once('close', () => clearTimeout(cut))
    }
  }

  const client = createClient({
    url,
    webSocketImpl: WatchedSocket,
    connectionParams: parameters,
    connectionAckWaitTimeout: answerMs,
    // Whoever asks tries again, with what has changed since.
    retryAttempts: 0,
    on: {
      connecting: () => {
        isAccepted = false
      },
      connected: () => {
        isAccepted = true
      },
    },
  })

  return {
    async *results<Data>(operation: SubscribedOperation, signal: AbortSignal) {
      const waiting: FormattedExecutionResult<Data, unknown>[] = []
      const state: { isOver: boolean; failure: Error | null } = { isOver: signal.aborted, failure: null }
      let wake = () => {}
      const unsubscribe = client.subscribe<Data>(operation, {
        next(result) {
          waiting.push(result)
          wake()
        },
        error(error) {
          state.failure = describe(error, isAccepted)
          wake()
        },
        complete() {
          state.isOver = true
          wake()
        },
      })
      const end = () => {
        state.isOver = true
        waiting.length = 0
        unsubscribe()
        wake()
      }
      signal.addEventListener('abort', end)
      subscriptions.add(end)
      try {
        for (;;) {
          for (let next = waiting.shift(); next; next = waiting.shift()) yield next
          if (state.isOver) return
          if (state.failure) throw state.failure
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      } finally {
        signal.removeEventListener('abort', end)
        subscriptions.delete(end)
        unsubscribe()
      }
    },

    async close() {
      for (const end of subscriptions) end()
      const closing = [...sockets].map(
        (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
      )
      for (const socket of sockets) socket.close(1000)
      await Promise.all(closing)
    },
  }
}

/** @param isAccepted whether the server had taken the connection before it failed */
function describe(error: unknown, isAccepted: boolean): Error {
  if (Array.isArray(error)) {
    const codes = error.map(({ extensions }) => String(extensions?.code))
    return new AnswerError(JSON.stringify(error), codes)
  }
  const { code, reason } = closeOf(error)
  if (code === undefined) return new ConnectionError(`The connection failed: ${reason}`)
  const message = `The server closed the connection: ${reason === '' ? '' : `${reason} `}(${code})`
  // Who was signed in until now may still be, with other rights.
  if (code === CloseCode.Forbidden && !isAccepted) return new AnswerError(message, ['UNAUTHENTICATED'])
  return REFUSALS.includes(code) ? new AnswerError(message, []) : new ConnectionError(message)
}

/** What the library fails with: an event that a socket closed, or one that it had an error, or an error. */
function closeOf(error: unknown): { code?: number; reason: string } {
  if (typeof error !== 'object' || error === null) return { reason: String(error) }
  if ('code' in error && typeof error.code === 'number') {
    return { code: error.code, reason: 'reason' in error ? String(error.reason) : '' }
  }
  if ('error' in error) return { reason: reasonOf(error.error) }
  return { reason: reasonOf(error) }
}
