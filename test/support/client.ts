import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import { type Client, createClient as createSocketClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { LoginDocument } from '../../src/generated/operations.ts'

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
  /** The answer, errors included. */
  ask<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): Promise<Answer<Data>>
  /** An operation with files, which stand at the paths of the keys, e.g. `variables.input.file`. */
  upload<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    files: Record<string, File>,
  ): Promise<Answer<Data>>
  /** The messages of a subscription; ends with the stream, fails with its errors. */
  watch<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables?: Variables,
  ): AsyncIterableIterator<Data>
  signIn(username: string, password: string): Promise<void>
  useToken(token: string | null): void
  /** The server has another address now. */
  moveTo(url: string): void
  close(): Promise<void>
}

/** A client of the server at `url` that is not signed in. */
export function createClient(url: string): ApiClient {
  let base = url
  let token: string | null = null
  let sockets: Client | null = null

  const textOf = (operation: Operation<never, never>) =>
    typeof operation === 'string' ? operation : print(operation)
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
    ask: (operation, variables) =>
      post(JSON.stringify({ query: textOf(operation as never), variables }), {
        'Content-Type': 'application/json',
      }),

    async send(operation, variables) {
      const answer = await client.ask(operation, variables)
      if (answer.errors || !answer.data) {
        throw new Error(
          `${textOf(operation as never)}\n${JSON.stringify(variables)}\n${JSON.stringify(answer, null, 2)}`,
        )
      }
      return answer.data
    },

    upload(operation, variables, files) {
      const form = new FormData()
      form.append('operations', JSON.stringify({ query: textOf(operation as never), variables }))
      form.append('map', JSON.stringify(Object.fromEntries(Object.keys(files).map((path) => [path, [path]]))))
      for (const [path, file] of Object.entries(files)) form.append(path, file, file.name)
      return post(form, {})
    },

    async *watch(operation, variables) {
      sockets ??= createSocketClient({
        url: `${base.replace(/^http/, 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: headers,
        retryAttempts: 0,
      })
      const results = sockets.iterate<never, never>({
        query: textOf(operation as never),
        variables: variables as never,
      })
      for await (const { data, errors } of results) {
        if (errors || !data) throw new Error(JSON.stringify(errors))
        yield data
      }
    },

    async signIn(username, password) {
      const { login } = await client.send(LoginDocument, { input: { username, password } })
      if (login.__typename !== 'Session') throw new Error(`Cannot sign in: ${login.message}`)
      client.useToken(login.accessToken)
    },

    useToken(value) {
      token = value
      void sockets?.dispose()
      sockets = null
    },

    moveTo(value) {
      base = value
      void sockets?.dispose()
      sockets = null
    },

    async close() {
      await sockets?.dispose()
    },
  }
  return client
}
