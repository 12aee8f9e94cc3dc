import type { WebSocket } from 'ws'

/** How often the other side of a socket is pinged, and how long it may take to answer, in ms. */
export interface KeepAlive {
  everyMs: number
  answerMs: number
}

/**
 * Cuts an open socket whose other side does not answer a ping in time: a machine that was switched off, or whose
 * cable was pulled, never says that it is gone. @returns what ends that
 */
export function keepAlive(socket: WebSocket, { everyMs, answerMs }: KeepAlive): () => void {
  let cut: NodeJS.Timeout | undefined
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return
    cut ??= setTimeout(() => socket.terminate(), answerMs)
    socket.ping()
  }, everyMs)
  socket.on('pong', () => {
    clearTimeout(cut)
    cut = undefined
  })
  return () => {
    clearInterval(timer)
    clearTimeout(cut)
  }
}
