import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands between a client and its server, and can be as silent as a cable that was pulled. */
export interface Relay {
  url: string
  /** How many connections it has taken. */
  taken(): number
  /** How many of them are still open. */
  open(): number
  /** Takes connections, but nothing gets through, nor is anybody told. */
  freeze(): void
  /** What was frozen is lost with its connections; new ones get through. */
  thaw(): void
  /** Breaks the connections there are. */
  cut(): void
  close(): Promise<void>
}

/** Starts one before a server at `url`, on a free port unless given. */
export async function startRelay(url: string, ownPort = 0): Promise<Relay> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let isFrozen = false
  let taken = 0

  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  }
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer((client) => {
    taken++
    keep(client)
    // Read, or its end would not be noticed.
    if (isFrozen) return client.resume()
    const upstream = connect(Number(port), hostname)
    keep(upstream)
    const pass = (from: Socket, to: Socket) => {
      from.on('data', (chunk) => {
        if (!isFrozen) to.write(chunk)
      })
      from.on('close', () => {
        if (!isFrozen) to.destroy()
      })
    }
    pass(client, upstream)
    pass(upstream, client)
  })
  server.listen(ownPort, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The relay does not listen.')

  return {
    url: `http://127.0.0.1:${address.port}`,
    taken: () => taken,
    open: () => sockets.size,
    freeze() {
      isFrozen = true
    },
    thaw() {
      cut()
      isFrozen = false
    },
    cut,
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
