import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { until } from '../../../support/until.ts'

/** A message that a receiver got. */
export interface Received {
  id: string
  headers: IncomingHttpHeaders
  /** As it came, byte by byte: what is signed. */
  body: string
  content: { type: string; timestamp: string; data: Record<string, unknown> }
}

/** Somebody else's server that is told of alerts. */
export interface Receiver {
  url: string
  received: Received[]
  /** The first message that is as wanted. */
  gets(what: string, isIt: (message: Received) => boolean): Promise<Received>
  close(): Promise<void>
}

/**
 * Starts a receiver.
 *
 * @param answer what it does with the message of this number, counted from 0; it takes it unless given
 */
export async function startReceiver(
  answer: (response: ServerResponse, number: number) => void = (response) => response.end(),
): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    const { headers } = request
    received.push({ id: String(headers['webhook-id']), headers, body, content: JSON.parse(body) })
    answer(response, received.length - 1)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    gets: (what, isIt) => until(`the receiver to get ${what}`, () => received.find(isIt)),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Whether the signature is what the Standard Webhooks specification makes of this secret, and the time is near. */
export function isSignedWith(secret: string, { headers, body }: Received): boolean {
  const id = headers['webhook-id']
  const timestamp = headers['webhook-timestamp']
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  const isRecent = Math.abs(Date.now() / 1000 - Number(timestamp)) < 300
  return (
    key.length >= 24 && isRecent && String(headers['webhook-signature']).split(' ').includes(`v1,${expected}`)
  )
}
