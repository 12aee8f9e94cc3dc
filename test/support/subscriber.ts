import type { TypedDocumentNode } from '@graphql-typed-document-node/core'
import { print } from 'graphql'
import { GRAPHQL_TRANSPORT_WS_PROTOCOL, type Message, MessageType } from 'graphql-ws'
import { WebSocket } from 'ws'
import { accessTokenOf, type Credentials } from './access-token.ts'
import { until } from './until.ts'

/** A client that speaks graphql-transport-ws frame by frame, and so can do what a well-behaved library does not. */
export interface Subscriber {
  subscribe<Data, Variables extends object>(
    operation: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Subscription<Data>
  /** Stops reading from the socket, as a client does that is stuck. */
  pause(): void
  resume(): void
  isOpen(): boolean
  close(): Promise<void>
}

/** One operation of a subscriber, and all that came of it so far. */
export interface Subscription<Data> {
  data: Data[]
  /** The codes of the errors that it ended with, or that came in a message. */
  errorCodes: unknown[]
  isOver(): boolean
  /** Waits for its end. */
  over(): Promise<void>
  /** Asks the server to end it. */
  stop(): void
}

/** Connects to a test's server, as its administrator unless given; resolves when the server has accepted that. */
export async function connectSubscriber(url: string, who?: Credentials): Promise<Subscriber> {
  const token = await accessTokenOf(url, who)
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, GRAPHQL_TRANSPORT_WS_PROTOCOL)
  const operations = new Map<string, (message: Message) => void>()
  const acknowledged = Promise.withResolvers<void>()
  let used = 0

  const send = (message: Message) => socket.send(JSON.stringify(message))
  socket.on('open', () =>
    send({ type: MessageType.ConnectionInit, payload: { Authorization: `Bearer ${token}` } }),
  )
  socket.on('error', acknowledged.reject)
  socket.on('close', () => acknowledged.reject(new Error('The server closed the socket.')))
  socket.on('message', (frame) => {
    const message: Message = JSON.parse(frame.toString())
    if (message.type === MessageType.ConnectionAck) acknowledged.resolve()
    else if (message.type === MessageType.Ping) send({ type: MessageType.Pong })
    else if ('id' in message) operations.get(message.id)?.(message)
  })
  await acknowledged.promise

  return {
    subscribe<Data, Variables extends object>(
      operation: TypedDocumentNode<Data, Variables>,
      variables: Variables,
    ) {
      const id = String(++used)
      const data: Data[] = []
      const errorCodes: unknown[] = []
      let over = false
      operations.set(id, (message) => {
        if (message.type === MessageType.Next) {
          if (message.payload.data) data.push(message.payload.data as Data)
          errorCodes.push(...(message.payload.errors ?? []).map((error) => error.extensions?.code))
        } else if (message.type === MessageType.Error) {
          errorCodes.push(...message.payload.map((error) => error.extensions?.code))
          over = true
        } else if (message.type === MessageType.Complete) {
          over = true
        }
      })
      send({
        type: MessageType.Subscribe,
        id,
        payload: { query: print(operation), variables: variables as Record<string, unknown> },
      })
      return {
        data,
        errorCodes,
        isOver: () => over,
        over: async () => void (await until('the subscription to end', () => over)),
        stop: () => send({ type: MessageType.Complete, id }),
      }
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return
      const { promise, resolve } = Promise.withResolvers<void>()
      socket.once('close', () => resolve())
      socket.terminate()
      await promise
    },
  }
}
