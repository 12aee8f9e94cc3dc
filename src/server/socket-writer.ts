import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/** Sends messages to one client, no faster than it reads them. */
export interface SocketWriter {
  /**
   * Sends a text message that begins with `own`, which is for this client only, and goes on with `shared`.
   *
   * @returns null when the next may follow at once, else what to wait for; it never fails, because the
   *   end of the socket is told to its operations otherwise
   */
  send(own: Buffer, shared: Buffer): Promise<void> | null
}

/** How much may wait in this process for a client to read it before its operations have to wait too, in bytes. */
const HIGH_WATER_BYTES = 64 * 1024
/** Up to this size a shared part is copied behind the own one, in bytes: cheaper than handing over two pieces. */
const COPY_BYTES = 8 * 1024

/**
 * A writer for a socket. Large shared parts are handed to the system as they are, so that a thousand slow
 * clients hold one copy; ws would want each message in one piece. All operations on the socket must use the
 * same writer: what a client that does not read costs is then one message beyond the limit, however many
 * operations it runs.
 *
 * @param transport the connection that the socket was made on
 */
export function createSocketWriter(socket: WebSocket, transport: Socket): SocketWriter {
  let draining: Promise<void> | null = null

  function write(own: Buffer, shared: Buffer, onWritten?: () => void) {
    const header = frameHeader(own.length + shared.length)
    if (shared.length <= COPY_BYTES) {
      transport.write(Buffer.concat([header, own, shared]), onWritten)
      return
    }
    transport.cork()
    transport.write(Buffer.concat([header, own]))
    transport.write(shared, onWritten)
    transport.uncork()
  }

  return {
    send(own, shared) {
      if (draining) return draining.then(() => this.send(own, shared) ?? undefined)
      if (socket.readyState !== socket.OPEN) return null
      if (transport.writableLength + own.length + shared.length <= HIGH_WATER_BYTES) {
        write(own, shared)
        return null
      }
      draining = new Promise((resolve) => {
        write(own, shared, () => {
          draining = null
          resolve()
        })
      })
      return draining
    },
  }
}

/** The header of an unmasked text message in one frame: RFC 6455, section 5.2. */
function frameHeader(length: number): Buffer {
  const FIN_AND_TEXT = 0x81
  if (length < 126) return Buffer.of(FIN_AND_TEXT, length)
  const extended = length <= 0xffff ? 2 : 8
  const header = Buffer.alloc(2 + extended)
  header[0] = FIN_AND_TEXT
  header[1] = extended === 2 ? 126 : 127
  header.writeUIntBE(length, 2 + Math.max(0, extended - 6), Math.min(6, extended))
  return header
}
