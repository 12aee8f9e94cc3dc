import type { WebSocket } from 'ws'

/** Sends messages to one client, no faster than it reads them. */
export interface SocketWriter {
  /**
   * Sends a message that begins with `own`, which is for this client only, and goes on with `shared`.
   *
   * @returns null when the next may follow at once, else what to wait for; it never fails, because the
   *   end of the socket is told to its operations otherwise
   */
  send(own: Buffer, shared: Buffer): Promise<void> | null
}

/** How much may wait in this process for a client to read it before its operations have to wait too, in bytes. */
const HIGH_WATER_BYTES = 64 * 1024

/** From which size on a shared part is sent as it is, in bytes; copying a smaller one is cheaper than a second write. */
const FRAGMENT_BYTES = 8 * 1024

/**
 * A writer for a socket. All operations on it must wait together: what a client that does not read costs is
 * then one message beyond the limit, however many operations it runs.
 */
export function createSocketWriter(socket: WebSocket): SocketWriter {
  let draining: Promise<void> | null = null

  /** Large shared parts are fragments of their own, so that a thousand slow clients hold one copy. */
  function write(own: Buffer, shared: Buffer, onWritten?: () => void) {
    if (shared.length < FRAGMENT_BYTES) {
      socket.send(Buffer.concat([own, shared]), { binary: false }, onWritten)
    } else {
      socket.send(own, { binary: false, fin: false })
      socket.send(shared, { binary: false, fin: true }, onWritten)
    }
  }

  return {
    send(own, shared) {
      if (draining) return draining.then(() => this.send(own, shared) ?? undefined)
      if (socket.readyState !== socket.OPEN) return null
      if (socket.bufferedAmount + own.length + shared.length <= HIGH_WATER_BYTES) {
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
