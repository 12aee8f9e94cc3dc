import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Database, Transaction } from '../../../db/database.ts'
import { UnavailableError } from '../../../errors.ts'
import { isListening, isPortFree } from '../../../execution/ports.ts'
import type { ComputeNode } from '../../../generated/prisma/client.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'
import { storedStrings } from '../../input.ts'
import { fillEngineCommand } from '../built-in-engines.ts'
import type { UsableEngine } from '../engines.ts'
import type { ServerSettings } from '../settings.ts'
import { type AddressedNode, listeningAddress } from './address.ts'
import {
  type Candidate,
  findCandidates,
  readCandidate,
  shorten,
  whatThereIs,
  whyNotOn,
} from './candidates.ts'
import { type ProgramSources, whyNotInstalled } from './engine-program.ts'
import { chooseGpus, type GpuSources, gpusOf } from './gpu-choice.ts'
import { weightBytes } from './weights.ts'

/** What a model server gets for itself, and what it is started with there. */
export interface Place {
  nodeId: string
  port: number
  gpus: number[]
  argv: string[]
}

/** What is needed to find places. */
export interface PlaceDependencies extends GpuSources, ProgramSources {
  database: Database
  /** The address that model servers listen on, on the server's own machine. */
  deploymentHost: string
  /** The ports that they get on each node, both ends included. */
  deploymentPorts: { first: number; last: number }
  /** Where the server itself listens. */
  ownPort: () => number | null
}

/** A model server that has a place. */
export interface PlacedServer {
  id: string
  node: ComputeNode
  port: number
  argv: unknown
  gpus: { gpu: number }[]
}

/** There is no room on any node that would do. */
export class NoRoomError extends UnavailableError {}

/** Why a place was not to be had. */
interface Obstacle {
  /** What keeps it from that: the node as it stands, what is to be started, or too little room. */
  kind: 'NODE' | 'START' | 'ROOM'
  /** A sentence. */
  why: string
}

export type Places = ReturnType<typeof createPlaces>

/**
 * Finds nodes, ports and GPUs for model servers, one request after the other, so that none is promised twice; that no
 * two rows have the same, the database sees to.
 */
export function createPlaces(deps: PlaceDependencies) {
  const { database, deploymentHost, deploymentPorts: range } = deps
  const { prisma } = database
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }

  /** Whether a stranger listens on a port of a node. Of another node this is found by trying to connect. */
  async function isTaken(node: AddressedNode, port: number): Promise<boolean> {
    if (node.id === OWN_NODE_ID) return !(await isPortFree(deploymentHost, port))
    return node.address !== null && isListening(node.address, port)
  }

  /** A port of a node that nobody has reserved and nobody listens on. */
  async function findPort(node: AddressedNode): Promise<number | null> {
    const rows = await prisma.modelServer.findMany({ where: { nodeId: node.id }, select: { port: true } })
    const reserved = new Set(rows.map(({ port }) => port))
    if (node.id === OWN_NODE_ID) reserved.add(deps.ownPort() ?? 0)
    for (let port = range.first; port <= range.last; port++) {
      if (!reserved.has(port) && !(await isTaken(node, port))) return port
    }
    return null
  }

  const noPort = ({ id, name }: ComputeNode) => {
    const which = `No port from ${range.first} to ${range.last}`
    return `${which}${id === OWN_NODE_ID ? '' : ` of ${name}`} is free (TRAINYARD_DEPLOYMENT_PORTS).`
  }

  const commandOf = (
    settings: ServerSettings,
    engine: UsableEngine,
    { node, port, gpus }: { node: AddressedNode; port: number; gpus: number },
  ) => [
    ...fillEngineCommand(engine.command, {
      model: settings.modelPath,
      host: listeningAddress(node, deploymentHost),
      port,
      name: settings.name,
      gpus: Math.max(1, gpus),
    }),
    ...settings.extraArgs,
  ]

  /** What only the server's own machine can be asked before anything is started. */
  function whyNotHere(settings: ServerSettings, engine: UsableEngine): string | null {
    const { modelPath } = settings
    if (isAbsolute(modelPath) && !existsSync(modelPath)) return `There is no model at ${modelPath}.`
    return whyNotInstalled(deps, engine)
  }

  /** Reserves a place on a node, if there is one. */
  async function tryOn<T>(
    node: Candidate,
    settings: ServerSettings,
    engine: UsableEngine,
    write: (tx: Transaction, place: Place) => Promise<T>,
  ): Promise<{ made: T } | Obstacle> {
    const isOwn = node.id === OWN_NODE_ID
    const whyNot = whyNotOn(node, settings)
    if (whyNot !== null) return { kind: 'NODE', why: whyNot }
    const whyUnstartable = isOwn ? whyNotHere(settings, engine) : null
    if (whyUnstartable !== null) return { kind: 'START', why: whyUnstartable }
    const present = settings.gpuCount === 0 ? [] : await gpusOf(deps, node)
    const modelBytes = present.length === 0 ? 0 : await weightBytes(settings.modelPath)
    return inTurn(async (): Promise<{ made: T } | Obstacle> => {
      const port = await findPort(node)
      if (port === null) return { kind: 'ROOM', why: noPort(node) }
      return database.transaction(async (tx): Promise<{ made: T } | Obstacle> => {
        const now = await readCandidate(tx, node.id)
        const changed = now ? whyNotOn(now, settings) : `Compute node ${node.name} was deleted.`
        if (changed !== null) return { kind: 'NODE', why: changed }
        // Runs have GPUs to themselves too, and get them in transactions of their own.
        const rows = await tx.gpuReservation.findMany({ where: { nodeId: node.id }, select: { gpu: true } })
        const reserved = new Set(rows.map(({ gpu }) => gpu))
        const where = isOwn ? 'This machine' : `Compute node ${node.name}`
        const gpus = chooseGpus(settings, { gpus: present, reserved, modelBytes }, where)
        if (typeof gpus === 'string') return { kind: 'ROOM', why: gpus }
        const argv = commandOf(settings, engine, { node, port, gpus: gpus.length })
        return { made: await write(tx, { nodeId: node.id, port, gpus, argv }) }
      })
    })
  }

  return {
    /**
     * Reserves a place: `write` must store it, in the transaction that it gets.
     *
     * @throws NoRoomError when no port or too few GPUs are free, UnavailableError when no node that is wished for takes
     *   work, or the engine is not installed
     */
    async reserve<T>(
      settings: ServerSettings,
      engine: UsableEngine,
      write: (tx: Transaction, place: Place) => Promise<T>,
    ): Promise<T> {
      const obstacles: Obstacle[] = []
      for (const node of await findCandidates(prisma, settings)) {
        const tried = await tryOn(node, settings, engine, write)
        if ('made' in tried) return tried.made
        obstacles.push(tried)
      }
      const forWantOfRoom = obstacles.filter(({ kind }) => kind === 'ROOM')
      if (forWantOfRoom.length > 0) throw new NoRoomError(listed(forWantOfRoom))
      const others = obstacles.every(({ kind }) => kind === 'NODE') ? await whatThereIs(prisma) : ''
      throw new UnavailableError(`${listed(obstacles)} ${others}`.trim())
    },

    /**
     * The port and the command of a model server that is about to be started: what it has; unless a stranger has taken
     * the port, or its node has another address, since those were chosen.
     *
     * @throws UnavailableError when no port is free
     */
    async settle(
      server: PlacedServer,
      settings: ServerSettings,
      engine: UsableEngine,
    ): Promise<{ port: number; argv: string[] }> {
      const { id, node, gpus } = server
      const isKept = !(await isTaken(node, server.port))
      const argvOn = (port: number) => commandOf(settings, engine, { node, port, gpus: gpus.length })
      const store = (settled: { port: number; argv: string[] }) =>
        database.transaction(async (tx) => {
          await tx.modelServer.update({ where: { id }, data: settled })
          return settled
        })
      if (isKept && node.id === OWN_NODE_ID) return { port: server.port, argv: storedStrings(server.argv) }
      if (isKept) return store({ port: server.port, argv: argvOn(server.port) })
      return inTurn(async () => {
        const port = await findPort(node)
        if (port === null) throw new UnavailableError(noPort(node))
        return store({ port, argv: argvOn(port) })
      })
    },
  }
}

function listed(obstacles: Obstacle[]): string {
  return shorten(obstacles.map(({ why }) => why)).join(' ')
}
