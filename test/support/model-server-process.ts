import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { z } from 'zod'

/** The program: a model server in place of a real engine. */
export const MODEL_SERVER = join(import.meta.dirname, 'model-server.ts')

/** A model server in a process of its own. */
export interface ModelServer extends AsyncDisposable {
  /** E.g. http://127.0.0.1:40123. */
  url: string
  pid: number
  /** What has become of the requests to its model. */
  counts(): Promise<{ begun: number; finished: number; aborted: number }>
  /** The last request to its model, as it came. */
  lastRequest(): Promise<{ url: string; headers: Record<string, string>; body: string }>
  /** Ends it; resolves when it is gone. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/**
 * Starts a model server; resolves when it listens.
 *
 * @param args see model-server/options.ts; the port is a free one unless given
 */
export async function startModelServer(...args: string[]): Promise<ModelServer> {
  const child = spawn(process.execPath, [MODEL_SERVER, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    const address = /listens on (\S+)/.exec(said)?.[1]
    if (address) resolve(address)
  })
  child.once('exit', () => reject(new Error(`The model server ended without listening: ${said}`)))
  const url = await promise
  const ask = async (path: string): Promise<unknown> => (await fetch(url + path)).json()
  const server: ModelServer = {
    url,
    pid: child.pid ?? 0,
    counts: async () => Counts.parse(await ask('/counts')),
    lastRequest: async () => LastRequest.parse(await ask('/last-request')),
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await gone
    },
    [Symbol.asyncDispose]: () => server.kill(),
  }
  return server
}

const Counts = z.object({ begun: z.number(), finished: z.number(), aborted: z.number() })
const LastRequest = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
})
