import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '../../support/client.ts'
import type { ServerProcess } from '../../support/server-process.ts'

/** A client that does not give up while its server is away, and the way to take the server away from it. */
export interface InsistentClient {
  /** Sends an operation, again and again if need be, until a server has answered it. */
  insist<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables: Variables,
  ): Promise<Data>
  /** Kills the server, whatever it is doing; what is to be sent from now on waits for the next one. */
  kill(): Promise<void>
  /** Starts the server, and kills it so long after. */
  startAndKill(afterMs: number): Promise<void>
  /** Starts the server, and tells when its process was made and when it listened. */
  start(): Promise<{ spawnedAt: number; listenedAt: number }>
  /** How often an operation was cut off and sent again. */
  retries(): number
}

/** For scenarios in which the server is killed again and again. */
export function createInsistentClient(server: ServerProcess): InsistentClient {
  let serving = Promise.withResolvers<void>()
  serving.resolve()
  let isServing = true
  let retries = 0

  async function kill() {
    if (isServing) serving = Promise.withResolvers()
    isServing = false
    await server.kill('SIGKILL')
  }

  return {
    async insist(operation, variables) {
      for (;;) {
        // While the server is away, its port may be another's, who is not to be asked.
        await serving.promise
        const asked = serving
        try {
          return await server.api.send(operation, variables)
        } catch (error) {
          if (asked === serving) throw error
          retries++
        }
      }
    },
    kill,
    async startAndKill(afterMs) {
      // It fails when the kill comes before it listens.
      const started = server.start().catch(() => undefined)
      await sleep(afterMs)
      await kill()
      await started
    },
    async start() {
      const spawnedAt = Date.now()
      await server.start()
      isServing = true
      serving.resolve()
      return { spawnedAt, listenedAt: Date.now() }
    },
    retries: () => retries,
  }
}
