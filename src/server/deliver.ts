import { MessageType } from 'graphql-ws'
import type { SharedOperation } from './shared-operations.ts'
import type { SocketWriter } from './socket-writer.ts'

/** What goes to whom. */
export interface Delivery {
  /** The id that the client gave the operation. */
  id: string
  source: AsyncIterable<unknown>
  operation: SharedOperation
  /** Called once when it is over. */
  leave: () => void
  writer: SocketWriter
  /** What a client may see of an error. */
  maskError: (error: unknown) => Error
}

/**
 * Sends the results of a subscription to its client as messages of graphql-transport-ws. What graphql-ws gets
 * to iterate over yields nothing: it would serialise every result for every client. It only learns the end,
 * and tells when the client wants no more.
 */
export function deliver(delivery: Delivery): AsyncGenerator<never, void, void> {
  const { source, operation, writer } = delivery
  const events = source[Symbol.asyncIterator]()
  const ownPart = Buffer.from(`{"type":"${MessageType.Next}","id":${JSON.stringify(delivery.id)},`)
  let stopped = false

  async function sendAll(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await events.next()
        if (done || stopped) return
        const sharedPart = await operation.sharedPartOf(value)
        if (sharedPart === null || stopped) continue
        const wait = writer.send(ownPart, sharedPart)
        if (wait) await wait
      }
    } catch (error) {
      throw delivery.maskError(error)
    } finally {
      leave()
    }
  }

  let isPart = true
  function leave() {
    if (!isPart) return
    isPart = false
    operation.leave()
    delivery.leave()
  }

  const stop = async () => {
    stopped = true
    leave()
    await events.return?.()
    return { done: true as const, value: undefined }
  }
  return {
    async next() {
      await sendAll()
      return { done: true, value: undefined }
    },
    return: stop,
    throw: stop,
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}
