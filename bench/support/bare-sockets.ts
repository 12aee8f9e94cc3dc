import { once } from 'node:events'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws'
import { WebSocketServer } from 'ws'

/** What a bare server sends to everyone. */
export interface BareOrder {
  frames: string[]
  /** How many a second; as fast as the clients read, without. Then each gets the time at which it is sent. */
  paced?: { perSecond: number; timeMark: string }
}

/** How much may wait for a client before the others wait for it, in bytes: what the server allows too. */
const HIGH_WATER_BYTES = 64 * 1024

// A WebSocket server that does nothing but send: the limit of what can be had on this machine.
const sockets = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  handleProtocols: () => GRAPHQL_TRANSPORT_WS_PROTOCOL,
})
await once(sockets, 'listening')
const address = sockets.address()
process.send?.(typeof address === 'object' ? address?.port : null)

process.on('message', async ({ frames, paced }: BareOrder) => {
  for (const frame of frames) {
    if (paced) await sleep(1000 / paced.perSecond)
    const time = performance.timeOrigin + performance.now()
    await sendToAll(Buffer.from(paced ? frame.replace(paced.timeMark, `${paced.timeMark}${time}`) : frame))
  }
})

async function sendToAll(data: Buffer) {
  for (const socket of sockets.clients) socket.send(data, { binary: false })
  await turn()
  for (const socket of sockets.clients) {
    while (socket.bufferedAmount > HIGH_WATER_BYTES) await sleep(1)
  }
}
