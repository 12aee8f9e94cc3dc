import type { IncomingMessage } from 'node:http'
import { CloseCode, handleProtocols, MessageType, makeServer, type ServerOptions } from 'graphql-ws'
import type { Logger } from 'pino'
import type { WebSocket, WebSocketServer } from 'ws'
import { keepAlive } from '../keep-alive.ts'

/**
 * What may wait for a client to read it when it asks for more, in bytes: the largest answer, and the largest
 * message of its subscriptions besides. One that leaves more is not reading.
 */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024
/** The close code of WebSockets for a message that is too big. */
const TOO_BIG = 1009
const PONG = JSON.stringify({ type: MessageType.Pong })

/** The connection that a socket was made on. */
export interface SocketExtra {
  socket: WebSocket
  request: IncomingMessage
}

/** How graphql-transport-ws is spoken. */
export interface ProtocolOptions {
  options: ServerOptions<Record<string, unknown> | undefined, SocketExtra>
  /** Made with `autoPong: false`: pings are answered here. */
  sockets: WebSocketServer
  /** The largest message that a client may send now, in bytes. */
  maxMessageBytes: (socket: WebSocket) => number
  /** How often clients are pinged, and how long one may take to answer, in ms. */
  keepAliveMs: number
  log: Logger
}

/**
 * Speaks graphql-transport-ws on the sockets of a server. In place of graphql-ws's own adapter, which answers
 * pings with all they brought, puts no bound to what waits for a client that does not read, and writes to the
 * console.
 */
export function speakProtocol(deps: ProtocolOptions): void {
  const { options, sockets, maxMessageBytes, keepAliveMs, log } = deps
  const protocol = makeServer(options)
  sockets.options.handleProtocols = (names) => handleProtocols(names)

  sockets.on('connection', (socket, request) => {
    const answerPing = oneAtATime<unknown>((_payload, sent) => socket.send(PONG, sent))
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onPing: answerPing,
        onMessage: (take) =>
          socket.on('message', (frame) => {
            if (!isReading(socket)) return socket.terminate()
            const text = String(frame)
            if (text.length > maxMessageBytes(socket)) return socket.close(TOO_BIG, 'The message is too big.')
            take(text).catch((error: unknown) => {
              log.error({ err: error }, 'a message failed')
              socket.close(CloseCode.InternalServerError, 'Something went wrong in the server.')
            })
          }),
      },
      { socket, request },
    )
    socket.on(
      'ping',
      oneAtATime<Buffer>((data, sent) => socket.pong(data, false, sent)),
    )
    const stopPinging = keepAlive(socket, { everyMs: keepAliveMs, answerMs: keepAliveMs })
    // ws itself closes the socket.
    socket.on('error', (error) => log.debug({ err: error }, 'a socket failed'))
    socket.once('close', (code, reason) => {
      stopPinging()
      closed(code, String(reason)).catch((error: unknown) =>
        log.error({ err: error }, 'a socket could not be tidied up'),
      )
    })
  })
}

const isOpen = (socket: WebSocket) => socket.readyState === socket.OPEN
const isReading = (socket: WebSocket) => socket.bufferedAmount <= MAX_UNSENT_BYTES

/** Sends a message; resolves when the system has it, or the socket is gone, of which its operations hear otherwise. */
function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (!isOpen(socket)) return resolve()
    socket.send(text, () => resolve())
    if (!isReading(socket)) socket.terminate()
  })
}

/**
 * What answers pings: of those that come while an answer waits to be sent, only the last is answered.
 *
 * @param answer sends an answer to a ping with such data, and says when the system has it
 */
function oneAtATime<Data>(answer: (data: Data, sent: () => void) => void): (data: Data) => void {
  let isUnderWay = false
  let last: { data: Data } | null = null
  return function take(data) {
    if (isUnderWay) {
      last = { data }
      return
    }
    isUnderWay = true
    answer(data, () => {
      isUnderWay = false
      const next = last
      last = null
      if (next) take(next.data)
    })
  }
}
