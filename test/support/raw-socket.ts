import { once } from 'node:events'
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws'
import { type ClientOptions, WebSocket } from 'ws'
import { z } from 'zod'

const Message = z.object({
  type: z.string(),
  id: z.string().optional(),
  payload: z.unknown().optional(),
})

/** A socket on which a test says whatever it likes, right or wrong. */
export interface RawSocket {
  /** Sends a message, or a text that is none. */
  send(message: object | string): void
  /** The next message of one of these types; others are skipped. Fails when the socket closes. */
  next(...types: string[]): Promise<z.infer<typeof Message>>
  /** Stops reading, as a client does that is stuck. */
  pause(): void
  resume(): void
  /** The code that the socket is closed with. */
  closed: Promise<number>
  close(): void
}

/** Opens a socket to a test's server; resolves when it is open. */
export async function openRawSocket(url: string, options: ClientOptions = {}): Promise<RawSocket> {
  const socket = new WebSocket(
    `${url.replace(/^http/, 'ws')}/graphql`,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    options,
  )
  const arrived: z.infer<typeof Message>[] = []
  let wake = Promise.withResolvers<void>()
  socket.on('message', (frame) => {
    arrived.push(Message.parse(JSON.parse(frame.toString())))
    wake.resolve()
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  await once(socket, 'open')

  return {
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next(...types) {
      for (;;) {
        const message = arrived.shift()
        if (message && types.includes(message.type)) return message
        if (message) continue
        wake = Promise.withResolvers()
        const code = await Promise.race([wake.promise.then(() => null), closed])
        if (code !== null) throw new Error(`The socket was closed with ${code}.`)
      }
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closed,
    close: () => socket.terminate(),
  }
}

/** As `openRawSocket`, and goes on when the server has accepted these credentials. */
export async function connectRawSocket(url: string, token: string | null): Promise<RawSocket> {
  const socket = await openRawSocket(url)
  socket.send({
    type: 'connection_init',
    ...(token !== null && { payload: { Authorization: `Bearer ${token}` } }),
  })
  await socket.next('connection_ack')
  return socket
}
