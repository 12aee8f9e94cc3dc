import { type ServerProcess, startServerProcess } from '../../test/support/server-process.ts'
import { forgetPeak, memoryOf } from './memory.ts'

/** A server in a process of its own on a data folder of its own, with the administrator signed in. */
export interface BenchServer extends ServerProcess, AsyncDisposable {
  /** How much memory its process holds now, and held at most, in bytes. */
  memory(): { resident: number; peak: number }
  /** From now on, the peak of its memory is counted anew. */
  forgetPeak(): void
}

/** Starts the server that `npm start` starts. With `await using` it is gone, with its data, when the block ends. */
export async function startBenchServer(settings: Record<string, string> = {}): Promise<BenchServer> {
  // What is measured is how much the server can take, not how much it lets one user ask.
  const unlimited = { TRAINYARD_RATE_LIMIT_POINTS: '0', TRAINYARD_RATE_LIMIT_ANONYMOUS_REQUESTS: '0' }
  const server = await startServerProcess({ ...unlimited, ...settings })
  // The same object, because its address changes with every start.
  return Object.assign(server, {
    memory: () => memoryOf(server.pid()),
    forgetPeak: () => forgetPeak(server.pid()),
    [Symbol.asyncDispose]: server.dispose,
  })
}
