import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { type GraphQLFormattedError, print } from 'graphql'
import { LoginDocument } from '../generated/operations.ts'
import { type Connection, type ConnectionLimits, createConnection } from './connection.ts'
import { AnswerError, ConnectionError } from './errors.ts'
import { createPauses, type PauseLimits } from './pauses.ts'
import { bodyOf, request } from './request.ts'

/** An operation, typed or as text. */
export type Operation<Data, Variables> = TypedDocumentNode<Data, Variables> | string

/** What a server answered to an operation. */
export interface Answer<Data> {
  data?: Data | null
  errors?: readonly GraphQLFormattedError[]
}

/** How a client bears with the network. Without any of it, it waits for as long as the system does, and tries once. */
export interface ClientOptions extends ConnectionLimits {
  /** Makes subscriptions outlast a broken connection: they are made again, after such pauses, until it works. */
  reconnect?: PauseLimits
}

/** How one operation is asked. */
export interface AskOptions {
  /** Ends it; it fails with the signal's reason. */
  signal?: AbortSignal
  /** How long the server may take to answer, in ms. @default what the client's options say */
  answerMs?: number
  /** Asks again, after pauses, for as long as nobody answers: for what may as well be done twice. @default false */
  insist?: boolean
}

/** How a subscription is watched. */
export interface WatchOptions {
  /** Ends it, as `return()` does. */
  signal?: AbortSignal
}

/** Talks to a server as a front end does: HTTP for queries and mutations, one WebSocket for subscriptions. */
export interface ApiClient {
  /**
   * The data of an operation.
   *
   * @throws AnswerError with the operation and the answer, when there are errors in it
   * @throws ConnectionError when there is no answer
   */
  send<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
    options?: AskOptions,
  ): Promise<Data>
  /**
   * The answer, errors included. A `File` anywhere in the variables is uploaded, and the server gets as much longer
   * to answer as that takes on a slow network.
   *
   * @throws ConnectionError when there is no answer
   */
  ask<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
    options?: AskOptions,
  ): Promise<Answer<Data>>
  /**
   * The messages of a subscription; ends with the stream, or when the client is closed. When the connection breaks
   * it fails with a ConnectionError, or is made again if the client's options say so: with variables that are worked
   * out then, such as the cursor of the last message, if they are given as a function.
   *
   * @throws AnswerError when there are errors in a message, or the server will not have it
   */
  watch<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables | (() => Variables),
    options?: WatchOptions,
  ): AsyncIterableIterator<Data>
  /** From here on everything is asked in this person's name. @throws when the server refuses. */
  signIn(username: string, password: string): Promise<void>
  /** As `signIn`, with a token that is known already; null for nobody. Subscriptions end, or are made again. */
  useToken(token: string | null): void
  /** The server has another address now. Subscriptions end, or are made again there. */
  moveTo(url: string): void
  /** Ends the subscriptions; resolves when the connection is gone. */
  close(): Promise<void>
}

/** An upload may be as slow as this, in bytes per ms, until it counts as unanswered. */
const SLOWEST_UPLOAD = 32
/** Pauses of a client that insists on an answer, when its options name none. */
const PAUSES: PauseLimits = { firstMs: 500, longestMs: 30_000 }

/** A client of the server at `url` (without /graphql) that is not signed in. */
export function createClient(url: string, options: ClientOptions = {}): ApiClient {
  let base = url
  let token: string | null = null
  let connection: Connection | null = null
  // Of two kinds: a proxy may let one through and not the other.
  const requestPauses = createPauses(options.reconnect ?? PAUSES)
  const reconnectPauses = createPauses(options.reconnect ?? PAUSES)
  const watches = new Set<AbortController>()

  const headers = (): Record<string, string> => (token === null ? {} : { Authorization: `Bearer ${token}` })

  const client: ApiClient = {
    async ask(operation, variables, { signal, insist = false, answerMs = options.answerMs } = {}) {
      const { body, type, fileBytes } = bodyOf(textOf(operation), variables)
      const limit = answerMs === undefined ? undefined : answerMs + Math.ceil(fileBytes / SLOWEST_UPLOAD)
      for (;;) {
        const asked = base
        const init = { method: 'POST', body, headers: { ...headers(), ...type } }
        try {
          return await request(`${asked}/graphql`, init, { signal, answerMs: limit })
        } catch (error) {
          if (!insist || !(error instanceof ConnectionError)) throw error
          if (asked === base) await requestPauses.wait(signal)
          signal?.throwIfAborted()
        }
      }
    },

    async send(operation, variables, asked) {
      const answer = await client.ask(operation, variables, asked)
      if (answer.errors || !answer.data) throw failureOf(operation, variables, answer)
      return answer.data
    },

    watch(operation, variables, { signal } = {}) {
      const stop = new AbortController()
      const messages = follow(operation, variables, stop, signal)
      // A generator that waits hears of return() only after that.
      return {
        next: () => messages.next(),
        return() {
          stop.abort()
          return messages.return(undefined)
        },
        throw(error) {
          stop.abort()
          return messages.throw(error)
        },
        [Symbol.asyncIterator]() {
          return this
        },
      }
    },

    async signIn(username, password) {
      // A token that has expired must not stand in the way of a new one.
      client.useToken(null)
      const { login } = await client.send(LoginDocument, { input: { username, password } })
      if (login.__typename !== 'Session') throw new Error(`Cannot sign in: ${login.message}`)
      client.useToken(login.accessToken)
    },

    useToken(value) {
      token = value
      void disconnect()
    },

    moveTo(value) {
      base = value
      void disconnect()
    },

    async close() {
      for (const stop of watches) stop.abort()
      await disconnect()
    },
  }
  return client

  async function* follow<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables: Variables | (() => Variables) | undefined,
    stop: AbortController,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Data, undefined> {
    const query = textOf(operation)
    const abort = () => stop.abort()
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    watches.add(stop)
    try {
      while (!stop.signal.aborted) {
        connection ??= createConnection(`${base.replace(/^http/, 'ws')}/graphql`, headers, options)
        const current = connection
        const given = typeof variables === 'function' ? variables() : variables
        try {
          const results = current.results<Data>(
            { query, variables: given && Object.fromEntries(Object.entries(given)) },
            stop.signal,
          )
          for await (const { data, errors } of results) {
            if (errors || !data) throw failureOf(operation, given, { data, errors })
            reconnectPauses.reset()
            yield data
          }
          // The end of a connection is not that of the stream, for a client that makes another.
          if (current === connection || !options.reconnect) return
        } catch (error) {
          if (!options.reconnect || !(error instanceof ConnectionError)) throw error
          if (current === connection) await reconnectPauses.wait(stop.signal)
        }
      }
    } finally {
      watches.delete(stop)
      signal?.removeEventListener('abort', abort)
    }
  }

  async function disconnect(): Promise<void> {
    const closing = connection?.close()
    connection = null
    requestPauses.skip()
    reconnectPauses.skip()
    await closing
  }
}

function textOf<Data, Variables>(operation: Operation<Data, Variables>): string {
  return typeof operation === 'string' ? operation : print(operation)
}

/** An error with everything that helps to find out why, except passwords and tokens. */
function failureOf<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: unknown,
  answer: Answer<unknown>,
): AnswerError {
  const shown = JSON.stringify(variables, (key, value) => (/password|token$/i.test(key) ? '…' : value))
  const codes = (answer.errors ?? []).map(({ extensions }) => String(extensions?.code))
  return new AnswerError(`${textOf(operation)}\n${shown}\n${JSON.stringify(answer, null, 2)}`, codes)
}
