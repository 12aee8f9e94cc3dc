import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import { type Client, createClient as createSocketClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { LoginDocument } from '../generated/operations.ts'
import { takeFiles } from './files.ts'

/** An operation, typed or as text. */
export type Operation<Data, Variables> = TypedDocumentNode<Data, Variables> | string

/** What a server answered to an operation. */
export interface Answer<Data> {
  data?: Data | null
  errors?: { message: string; path?: (string | number)[]; extensions?: Record<string, unknown> }[]
}

/** Talks to a server as a front end does: HTTP for queries and mutations, one WebSocket for subscriptions. */
export interface ApiClient {
  /** The data of an operation; throws with the operation and the answer when there are errors. */
  send<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): Promise<Data>
  /** The answer, errors included. A `File` anywhere in the variables is uploaded. */
  ask<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): Promise<Answer<Data>>
  /** The messages of a subscription; ends with the stream, fails with its errors. */
  watch<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): AsyncIterableIterator<Data>
  /** From here on everything is asked in this person's name. @throws when the server refuses. */
  signIn(username: string, password: string): Promise<void>
  /** As `signIn`, with a token that is known already; null for nobody. */
  useToken(token: string | null): void
  /** The server has another address now. */
  moveTo(url: string): void
  /** Ends the subscriptions. */
  close(): Promise<void>
}

/** A client of the server at `url` (without /graphql) that is not signed in. */
export function createClient(url: string): ApiClient {
  let base = url
  let token: string | null = null
  let sockets: Client | null = null

  const headers = (): Record<string, string> => (token === null ? {} : { Authorization: `Bearer ${token}` })

  async function post<Data>(body: BodyInit, extra: Record<string, string>): Promise<Answer<Data>> {
    const response = await fetch(`${base}/graphql`, {
      method: 'POST',
      body,
      headers: { ...headers(), ...extra },
    })
    const text = await response.text()
    try {
      return JSON.parse(text)
    } catch {
      throw new Error(
        `The server answered ${response.status} with something that is not JSON: ${text.slice(0, 500)}`,
      )
    }
  }

  const client: ApiClient = {
    ask(operation, variables) {
      const { rest, files } = takeFiles(variables, 'variables')
      const request = JSON.stringify({ query: textOf(operation), variables: rest })
      if (files.size === 0) return post(request, { 'Content-Type': 'application/json' })
      // As the GraphQL multipart request specification has it: first the operation, then where each file belongs.
      const form = new FormData()
      form.append('operations', request)
      form.append('map', JSON.stringify(Object.fromEntries(files.keys().map((path) => [path, [path]]))))
      for (const [path, file] of files) form.append(path, file)
      // A browser could send this form for a page of another site; the server wants to see that this is none.
      return post(form, { 'GraphQL-Require-Preflight': 'true' })
    },

    async send(operation, variables) {
      const answer = await client.ask(operation, variables)
      if (answer.errors || !answer.data) throw new Error(describeFailure(operation, variables, answer))
      return answer.data
    },

    watch,

    async signIn(username, password) {
      // A token that has expired must not stand in the way of a new one.
      client.useToken(null)
      const { login } = await client.send(LoginDocument, { input: { username, password } })
      if (login.__typename !== 'Session') throw new Error(`Cannot sign in: ${login.message}`)
      client.useToken(login.accessToken)
    },

    useToken(value) {
      token = value
      forgetSocket()
    },

    moveTo(value) {
      base = value
      forgetSocket()
    },

    async close() {
      await sockets?.dispose()
    },
  }
  return client

  async function* watch<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): AsyncGenerator<Data> {
    sockets ??= createSocketClient({
      url: `${base.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: headers,
      retryAttempts: 0,
    })
    const results = sockets.iterate<Data>({
      query: textOf(operation),
      variables: variables && Object.fromEntries(Object.entries(variables)),
    })
    for await (const { data, errors } of results) {
      if (errors || !data) throw new Error(describeFailure(operation, variables, { data, errors }))
      yield data
    }
  }

  function forgetSocket(): void {
    void sockets?.dispose()
    sockets = null
  }
}

function textOf<Data, Variables>(operation: Operation<Data, Variables>): string {
  return typeof operation === 'string' ? operation : print(operation)
}

/** Everything that helps to find out why, except passwords and tokens. */
function describeFailure<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: unknown,
  answer: unknown,
): string {
  const shown = JSON.stringify(variables, (key, value) => (/password|token$/i.test(key) ? '…' : value))
  return `${textOf(operation)}\n${shown}\n${JSON.stringify(answer, null, 2)}`
}
