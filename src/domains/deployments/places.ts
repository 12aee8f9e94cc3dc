import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database, Transaction } from '../../db/database.ts'
import { UnavailableError } from '../../errors.ts'
import { isPortFree } from '../../execution/ports.ts'
import { type Gpu, readGpus } from '../../machine/gpus.ts'
import { fillEngineCommand } from './built-in-engines.ts'
import type { UsableEngine } from './engines.ts'
import type { ServerSettings } from './settings.ts'

/** What a model server gets for itself, and what it is started with there. */
export interface Place {
  port: number
  gpus: number[]
  argv: string[]
}

/** What is needed to find places. */
export interface PlaceDependencies {
  database: Database
  /** The part of the server's environment that model servers inherit. */
  environment: Record<string, string>
  /** The address that they listen on. */
  deploymentHost: string
  /** The ports that they get, both ends included. */
  deploymentPorts: { first: number; last: number }
  /** Where the server itself listens. */
  ownPort: () => number | null
}

/** Weights take about this much more in the memory of a GPU than on the disk, before anything is computed. */
const WEIGHT_OVERHEAD = 1.1
/** Files that hold weights; a folder that has the first kind needs none of the others. */
const WEIGHT_FILES = [/\.safetensors$/, /\.gguf$/, /\.(bin|pt|pth)$/]

export type Places = ReturnType<typeof createPlaces>

/**
 * Finds ports and GPUs for model servers, one request after the other, so that none is promised twice; that no
 * two rows have the same, the database sees to.
 */
export function createPlaces(deps: PlaceDependencies) {
  const { database, deploymentHost: host, deploymentPorts: range } = deps
  const { prisma } = database
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }

  /** A port that nobody has reserved and nobody listens on. @throws UnavailableError */
  async function findPort(): Promise<number> {
    const rows = await prisma.modelServer.findMany({ select: { port: true } })
    const reserved = new Set(rows.map(({ port }) => port))
    for (let port = range.first; port <= range.last; port++) {
      if (reserved.has(port) || port === deps.ownPort()) continue
      if (await isPortFree(host, port)) return port
    }
    throw new UnavailableError(
      `No port from ${range.first} to ${range.last} is free (TRAINYARD_DEPLOYMENT_PORTS).`,
    )
  }

  /** GPUs that nobody has reserved and that have room for the model. @throws UnavailableError */
  async function findGpus(settings: ServerSettings, gpus: Gpu[], modelBytes: number): Promise<number[]> {
    const wanted = settings.gpuCount ?? Math.min(gpus.length, 1)
    if (wanted === 0) return []
    if (gpus.length < wanted) {
      throw new UnavailableError(
        gpus.length === 0
          ? 'This machine has no GPU that nvidia-smi tells of: deploy with gpuCount 0.'
          : `This machine has ${gpus.length} GPUs, not ${wanted}.`,
      )
    }
    const reserved = new Set((await prisma.gpuReservation.findMany()).map(({ gpu }) => gpu))
    const needed = (modelBytes * WEIGHT_OVERHEAD) / wanted
    const free = gpus
      .filter((gpu) => !reserved.has(gpu.index) && freeBytesOf(gpu) >= needed)
      .sort((one, other) => freeBytesOf(other) - freeBytesOf(one))
      .map(({ index }) => index)
    const preferred = free.filter((index) => index === settings.preferredGpu)
    const chosen = [...new Set([...preferred, ...free])].slice(0, wanted)
    if (chosen.length === wanted) return chosen.sort((one, other) => one - other)
    throw new UnavailableError(
      `No ${wanted === 1 ? 'GPU is' : `${wanted} GPUs are`} free for this: each needs ${toGiB(needed)} GiB of free memory, and must not be another deployment's.`,
    )
  }

  const commandOf = (settings: ServerSettings, engine: UsableEngine, port: number, gpus: number[]) => [
    ...fillEngineCommand(engine.command, {
      model: settings.modelPath,
      host,
      port,
      name: settings.name,
      gpus: Math.max(1, gpus.length),
    }),
    ...settings.extraArgs,
  ]

  return {
    /**
     * Reserves a place: `write` must store it, in the transaction that it gets.
     *
     * @throws UnavailableError when no port or too few GPUs are free
     */
    async reserve<T>(
      settings: ServerSettings,
      engine: UsableEngine,
      write: (tx: Transaction, place: Place) => Promise<T>,
    ): Promise<T> {
      const present = settings.gpuCount === 0 ? [] : await readGpus(deps.environment)
      const modelBytes = present.length === 0 ? 0 : await weightBytes(settings.modelPath)
      return inTurn(async () => {
        const gpus = await findGpus(settings, present, modelBytes)
        const port = await findPort()
        const place = { port, gpus, argv: commandOf(settings, engine, port, gpus) }
        return database.transaction((tx) => write(tx, place))
      })
    },

    /** Whether a stranger listens where a model server is to listen. */
    isTaken: async (port: number): Promise<boolean> => !(await isPortFree(host, port)),

    /** Reserves another port for a model server whose own a stranger took. @throws UnavailableError */
    async move(
      server: { id: string; gpus: number[] },
      settings: ServerSettings,
      engine: UsableEngine,
    ): Promise<Pick<Place, 'port' | 'argv'>> {
      return inTurn(async () => {
        const port = await findPort()
        const moved = { port, argv: commandOf(settings, engine, port, server.gpus) }
        await database.transaction((tx) => tx.modelServer.update({ where: { id: server.id }, data: moved }))
        return moved
      })
    },
  }
}

/** How many bytes of weights lie at a path; 0 where that cannot be told, as for a name on the hub. */
async function weightBytes(path: string): Promise<number> {
  const found = await stat(path).catch(() => null)
  if (!found) return 0
  if (!found.isDirectory()) return found.size
  const names = await readdir(path)
  const kind = WEIGHT_FILES.find((pattern) => names.some((name) => pattern.test(name)))
  const files = names.filter((name) => kind?.test(name))
  const sizes = await Promise.all(
    files.map((name) =>
      stat(join(path, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** A driver that does not tell leaves the attempt to the model server. */
const freeBytesOf = (gpu: Gpu) => gpu.memoryFreeBytes ?? Number.POSITIVE_INFINITY

const toGiB = (bytes: number) => (bytes / 1024 ** 3).toFixed(1)
