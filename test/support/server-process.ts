import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PASSWORD } from './app.ts'
import { type ApiClient, createClient } from './client.ts'
import { endRuns } from './end-runs.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** A server in a process of its own, which can be killed and started again on the same data. */
export interface ServerProcess {
  /** Speaks for the administrator, to whichever process serves now. */
  api: ApiClient
  dataDir: string
  /** Where it listens now; another port after each start. */
  url: string
  /** The process that serves now. */
  pid(): number
  /** Starts it on the data that is there; resolves when it listens. */
  start(): Promise<void>
  /** Sends the signal; resolves with the exit code (null when the signal ended it) once the process is gone. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
  /** Ends the runs, the process and the data. */
  dispose(): Promise<void>
}

/**
 * Starts `npm start`'s program on a free port and signs in.
 *
 * @param options.logFile where its log goes, which is shown unless given
 * @param settings environment variables; without a data folder among them it gets one that goes away with it
 */
export async function startServerProcess(
  settings: Record<string, string> = {},
  { logFile }: { logFile?: string } = {},
): Promise<ServerProcess> {
  const { TRAINYARD_DATA_DIR: givenFolder } = settings
  const dataDir = givenFolder ?? (await mkdtemp(join(tmpdir(), 'trainyard-test-')))
  const api = createClient('')
  let child: ChildProcess | null = null

  const server: ServerProcess = {
    api,
    dataDir,
    url: '',
    pid() {
      if (child?.pid === undefined) throw new Error('The server does not run.')
      return child.pid
    },
    async start() {
      const log = logFile === undefined ? 'inherit' : openSync(logFile, 'a')
      child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
        env: {
          PATH: process.env.PATH,
          HOST: '127.0.0.1',
          PORT: '0',
          TRAINYARD_DATA_DIR: dataDir,
          TRAINYARD_ADMIN_PASSWORD: PASSWORD,
          TRAINYARD_ARTIFACT_QUIET_MS: '300',
          LOG_LEVEL: process.env.TEST_LOG ?? 'silent',
          ...settings,
        },
        stdio: ['ignore', 'pipe', log],
      })
      if (log !== 'inherit') closeSync(log)
      server.url = await addressOf(child)
      api.moveTo(server.url)
    },
    async kill(signal) {
      if (!child) throw new Error('The server does not run.')
      const gone = once(child, 'exit')
      child.kill(signal)
      const [exitCode] = await gone
      child = null
      return exitCode
    },
    async dispose() {
      try {
        if (!child) await server.start()
        await endRuns(api)
      } finally {
        await api.close()
        if (child) await server.kill('SIGKILL')
        if (!givenFolder) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
      }
    },
  }
  await server.start()
  await api.signIn('admin', PASSWORD)
  return server
}

/** Waits for the address that a server prints when it listens. */
async function addressOf(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let said = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    const address = /listens on (\S+)\/graphql/.exec(said)?.[1]
    if (address) resolve(address)
  })
  child.once('exit', () => reject(new Error(`The server ended without listening: ${said}`)))
  return promise
}
