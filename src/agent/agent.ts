import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { createPauses } from '../client/pauses.ts'
import type { Executor } from '../execution/executor.ts'
import type { RegisterAgentInput } from '../generated/operations.ts'
import type { Hardware, TelemetrySample } from '../machine/types.ts'
import type { Room } from '../storage/room.ts'
import { VERSION } from '../version.ts'
import { createBringResult } from './bring-result.ts'
import { createCache } from './cache.ts'
import { type Connection, createConnection, type RegisteredNode } from './connection.ts'
import { createDownload } from './download.ts'
import { AgentError, isAboutRights, RefusedError, UnreachableError } from './errors.ts'
import type { AgentFolder } from './folder.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { lookAtServer } from './look-at-server.ts'
import type { NodeWishes } from './options.ts'
import { createReconciler, type Reconciler } from './reconcile.ts'

/** What an agent needs. */
export interface AgentDependencies {
  /** Where the server is, without /graphql. */
  server: string
  token: string
  node: NodeWishes
  folder: AgentFolder
  /** Runs commands on this machine. */
  executor: Executor
  /** Tells how the machine does. */
  sampler: { sample(): Promise<TelemetrySample> }
  /** Tells what the machine is. */
  readHardware: () => Promise<Hardware>
  /** Knows when the disk of the folder was full. */
  room: Pick<Room, 'findCut'>
  log: Logger
  /** How long a file must not change before it counts as complete, in ms, while its command runs. @default 2000 */
  quietMs?: number
}

/** Makes a machine a compute node, for as long as it runs. */
export interface Agent {
  /**
   * Registers, however long it takes to reach the server, and begins to work.
   *
   * @returns the node that the machine is now
   * @throws AgentError when the server will not have it
   */
  start(): Promise<RegisteredNode>
  /** Resolves when it has ended: with null after `stop`, else with why the server will not have it any more. */
  ended: Promise<AgentError | null>
  /** Ends it; processes go on. */
  stop(): Promise<void>
}

/** How long to wait before following the orders again when the server refuses that, in ms. */
const REFUSED_MS = 5000
/** How often files are looked for that nobody uses any more, in ms. */
const SWEEP_MS = 24 * 3600 * 1000

/** An agent. Everything it knows is in its folder and on the server: it may end at any time. */
export function createAgent(deps: AgentDependencies): Agent {
  const { server, folder, log, readHardware } = deps
  const abort = new AbortController()
  const { signal } = abort
  const ended = Promise.withResolvers<AgentError | null>()
  const connection = createConnection(server, deps.token, log)
  const cache = createCache({ folder: folder.cache, download: createDownload(server) })
  const work: Promise<unknown>[] = []
  const reconciler = createReconciler({
    ...deps,
    connection,
    cache,
    bring: createBringResult({ connection, log }),
    executions: folder.executions,
    apiUrl: `${server}/graphql`,
    quietMs: deps.quietMs ?? 2000,
  })

  async function stopWith(error: AgentError | null): Promise<void> {
    if (signal.aborted) return
    abort.abort()
    await Promise.allSettled([...work, reconciler.stop()])
    await connection.close()
    ended.resolve(error)
  }

  /** Heard of again and again; registers anew where the server has forgotten the node. */
  async function stayHeard(heartbeat: Heartbeat): Promise<void> {
    while (!signal.aborted) {
      try {
        await heartbeat.run(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!isAboutRights(error)) throw error
        log.warn({ reason: error.message }, 'the server refuses this node: registering anew')
        await untilReached(() => register(deps, connection, readHardware, signal))
        await sleep(REFUSED_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async function untilReached<T>(attempt: () => Promise<T>): Promise<T> {
    const pauses = createPauses({ firstMs: 500, longestMs: 5000 })
    for (let isKnown = false; ; isKnown = true) {
      try {
        return await attempt()
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof UnreachableError)) throw error
        if (!isKnown) log.warn({ reason: error.message }, 'the server is not reached; trying again')
        await pauses.wait(signal)
        signal.throwIfAborted()
      }
    }
  }

  return {
    ended: ended.promise,

    async start() {
      const hardware = await readHardware()
      const node = await untilReached(async () => {
        await lookAtServer(server, signal)
        return register(deps, connection, async () => hardware, signal)
      })
      const heartbeat = createHeartbeat(
        {
          ...deps,
          connection,
          onOrders(orders, askedAt) {
            heartbeat.setPaces(orders)
            reconciler.apply(orders, askedAt)
          },
        },
        hardware,
      )
      work.push(
        stayHeard(heartbeat).catch((error: unknown) => {
          void stopWith(error instanceof AgentError ? error : new AgentError(String(error), { cause: error }))
        }),
        followOrders(connection, heartbeat, reconciler, log, signal),
        sweepCache(),
      )
      return node
    },

    stop: () => stopWith(null),
  }

  async function sweepCache(): Promise<void> {
    while (!signal.aborted) {
      await cache.sweep().catch((error: unknown) => log.warn({ err: error }, 'the cache could not be swept'))
      await sleep(SWEEP_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** @throws AgentError when the server will not have it, UnreachableError */
async function register(
  { node, folder }: AgentDependencies,
  connection: Connection,
  readHardware: () => Promise<Hardware>,
  signal: AbortSignal,
): Promise<RegisteredNode> {
  const input: RegisterAgentInput = {
    ...node,
    installationId: folder.installationId,
    agentVersion: VERSION,
    hardware: await readHardware(),
  }
  try {
    return await connection.register(input, { signal })
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    throw new AgentError(
      error.code === 'UNAUTHENTICATED'
        ? 'The server does not know the token: it is wrong, has expired or was revoked. Trainings that run go on, and are taken up with a token that it knows.'
        : `The server refuses this node: ${error.message}`,
      { cause: error },
    )
  }
}

/** Hears what to do as soon as it changes. Where no socket can be had, the answers to the heartbeats tell it too. */
async function followOrders(
  connection: Connection,
  heartbeat: Heartbeat,
  reconciler: Reconciler,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const orders of connection.orders(signal)) {
        heartbeat.setPaces(orders)
        reconciler.apply(orders, null)
      }
    } catch (error) {
      log.debug({ err: error }, 'orders are not told by themselves')
    }
    await sleep(REFUSED_MS, undefined, { signal }).catch(() => undefined)
  }
}
