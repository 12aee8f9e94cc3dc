import { connect, createServer } from 'node:net'

/** How long a machine may take to say whether anybody listens there, in ms; after that, nobody does. */
const CONNECT_MS = 1000

/** Whether a program could listen there now. */
export async function isPortFree(host: string, port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether a program listens there that this machine reaches. */
export async function isListening(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  const answer = new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.setTimeout(CONNECT_MS, () => resolve(false))
  })
  return answer.finally(() => socket.destroy())
}
