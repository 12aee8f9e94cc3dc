import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { isErrno } from '../storage/errno.ts'
import { toWrite } from './small-parts.ts'

/**
 * How long a connection to a model server is kept without use, in ms. uvicorn, below vLLM and most others, closes
 * its side after 5 s; whoever writes into a connection that is just being closed loses the request.
 */
const IDLE_MS = 4000

/** A request to a model server. */
export interface Order {
  /** Where to, with the path. */
  url: string
  headers: Record<string, string>
  body: Buffer
  /** Cuts it, at any time until the answer has ended. */
  signal: AbortSignal
}

/** The connections to the model servers. */
export interface ModelServers {
  /** Sends a request. @returns the answer, whose body is still to come. @throws what the connection says */
  send(order: Order): Promise<IncomingMessage>
}

/** Keeps connections to model servers, so that a request need not open one. */
export function createModelServers(): ModelServers {
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS })

  return {
    async send(order) {
      const first = open(order, agent)
      try {
        return await answerTo(first, order)
      } catch (error) {
        // The model server closed the connection, which had been idle, before it saw the request.
        const isStale = first.reusedSocket && isErrno(error, 'ECONNRESET') && !order.signal.aborted
        if (!isStale) throw error
        return answerTo(open(order, false), order)
      }
    },
  }
}

function open({ url, headers, body }: Order, agent: Agent | false): ClientRequest {
  const { hostname, port, pathname, host } = new URL(url)
  return request({
    agent,
    method: 'POST',
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port,
    path: pathname,
    // As a list they are written as they are; an object is checked and looked up again, header by header.
    headers: ['Host', host, ...Object.entries(headers).flat(), 'Content-Length', String(body.length)],
  })
}

function answerTo(sent: ClientRequest, { body, signal }: Order): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const cut = () => sent.destroy(new Error('The request was cut.'))
  if (signal.aborted) cut()
  signal.addEventListener('abort', cut, { once: true })
  sent.once('response', resolve)
  // It stays: a connection may also break after the answer has begun, which its reader learns.
  sent.on('error', reject)
  const { data, encoding } = toWrite(body)
  sent.end(data, encoding)
  return promise
}
