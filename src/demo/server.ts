import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { createClient } from '../client/client.ts'
import type { Config } from '../config.ts'
import { DemoServerInfoDocument } from '../generated/operations.ts'
import { localUrl } from '../local-url.ts'
import { DemoError } from './errors.ts'

/** The server that the demo talks to. */
export interface DemoServer {
  url: string
  version: string
  /** Whether the demo started it, and has to stop it. */
  isOwn: boolean
  /** Fulfilled with the reason when it ends without being asked to. */
  ended: Promise<DemoError>
  /** Stops it if it is the demo's own. Trainings that still run go on. */
  stop(): Promise<void>
  /** Asks it to end if it is the demo's own; for when there is no time to wait for it. */
  kill(): void
}

/** The checkout. */
export const ROOT = resolve(import.meta.dirname, '../..')

/** The first start of all takes a second or two. */
const START_MS = 60_000
const ANSWER_MS = 5000
/** What the server says once it takes work. */
const LISTENS = /^Trainyard listens on (\S+)\/graphql$/
/** How long a server may take to stop; it gives requests under way 5 s. */
const STOP_MS = 15_000
/** So much of what the server said last is shown when it fails. */
const KEPT_LINES = 10

/** What listens where the demo looks. */
type Found = { is: 'nothing' } | { is: 'something else' } | { is: 'Trainyard'; version: string }

/**
 * The server that listens on the configured address, or one started there.
 *
 * @param password becomes the administrator's if the server is started
 * @throws DemoError
 */
export async function findOrStartServer(
  config: Config,
  password: string,
  signal: AbortSignal,
): Promise<DemoServer> {
  // Port 0 takes any free one: there cannot be a server yet.
  if (config.port === 0) return startServer(config, password, signal)
  const url = localUrl(config.host, config.port)
  const found = await lookAt(url)
  if (found.is === 'Trainyard') {
    const nothing = () => undefined
    return {
      url,
      version: found.version,
      isOwn: false,
      ended: new Promise(nothing),
      stop: async () => undefined,
      kill: nothing,
    }
  }
  if (found.is === 'something else') {
    throw new DemoError(
      `Something else listens on ${url}, or a Trainyard that is not ready. Set PORT to another port.`,
    )
  }
  return startServer(config, password, signal)
}

async function startServer(config: Config, password: string, signal: AbortSignal): Promise<DemoServer> {
  // In a session of its own: Ctrl-C is for the demo, which ends its training before its server.
  const child = execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts'], {
    cwd: ROOT,
    detached: true,
    stdin: 'ignore',
    buffer: false,
    reject: false,
    forceKillAfterDelay: STOP_MS,
    env: {
      TRAINYARD_ADMIN_PASSWORD: password,
      TRAINYARD_DATA_DIR: config.dataDir,
      LOG_LEVEL: process.env.LOG_LEVEL || 'warn',
    },
  })
  const announced = Promise.withResolvers<string>()
  const lastLines: string[] = []
  const reading = Promise.allSettled([
    eachLine(child.iterable({ from: 'stdout' }), (line) => {
      const url = LISTENS.exec(line)?.[1]
      if (url !== undefined) announced.resolve(url)
    }),
    eachLine(child.iterable({ from: 'stderr' }), (line) => {
      lastLines.push(line)
      if (lastLines.length > KEPT_LINES) lastLines.shift()
    }),
  ])

  let stopping = false
  const ended = Promise.withResolvers<DemoError>()
  const exit = child.then(async ({ exitCode, signal: by }) => {
    await reading
    const how = by ? `by ${by}` : `with exit code ${exitCode}`
    const error = new DemoError([`The server ended ${how}.`, ...lastLines].join('\n'))
    if (!stopping) ended.resolve(error)
    return error
  })
  const stop = async () => {
    stopping = true
    child.kill('SIGTERM')
    await exit
  }

  const waiting = new AbortController()
  const tooLong = async (): Promise<never> => {
    await sleep(START_MS, undefined, { signal: AbortSignal.any([signal, waiting.signal]) })
    throw new DemoError(`The server was not ready within ${START_MS / 1000} s.`)
  }
  try {
    const url = await Promise.race([
      announced.promise,
      tooLong(),
      exit.then((error) => Promise.reject(error)),
    ])
    // Behind a proxy it announces the proxy's address; the demo is on its own machine.
    const ownUrl = config.port === 0 ? url : localUrl(config.host, config.port)
    const found = await lookAt(ownUrl)
    if (found.is !== 'Trainyard') throw new DemoError(`The server does not answer at ${ownUrl}.`)
    return {
      url: ownUrl,
      version: found.version,
      isOwn: true,
      ended: ended.promise,
      stop,
      kill: () => void child.kill('SIGTERM'),
    }
  } catch (error) {
    await stop()
    throw error
  } finally {
    waiting.abort()
  }
}

async function eachLine(lines: AsyncIterable<string>, take: (line: string) => void): Promise<void> {
  for await (const line of lines) take(line)
}

async function lookAt(url: string): Promise<Found> {
  try {
    const { ok } = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(ANSWER_MS) })
    if (!ok) return { is: 'something else' }
  } catch (error) {
    return { is: isRefused(error) ? 'nothing' : 'something else' }
  }
  try {
    const { serverInfo } = await createClient(url).send(DemoServerInfoDocument)
    return { is: 'Trainyard', version: serverInfo.version }
  } catch {
    return { is: 'something else' }
  }
}

/** Whether nobody listens: fetch gives the reason as its error's cause. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ECONNREFUSED'
}
