import { z } from 'zod'
import { toGiB } from '../../../gib.ts'
import { readGpus } from '../../../machine/gpus.ts'
import type { GpuSample } from '../../../machine/types.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'
import type { ServerSettings } from '../settings.ts'
import type { Candidate } from './candidates.ts'

/** A GPU of a node. */
export interface NodeGpu {
  index: number
  /** Infinite where nobody tells, which leaves the attempt to the model server. */
  freeBytes: number
}

/** Where it is known what GPUs nodes have, and how full they are. */
export interface GpuSources {
  /** The part of the server's environment that model servers inherit. */
  environment: Record<string, string>
  /** How the GPUs of another node were doing when it last told; null when it has not. */
  latestGpus(nodeId: string): GpuSample[] | null
}

/** Weights take about this much more in the memory of a GPU than on the disk, before anything is computed. */
const WEIGHT_OVERHEAD = 1.1

/** What matters here of what is stored of a machine; an agent of another version may tell more, or less. */
const Hardware = z.object({
  gpus: z.array(z.object({ index: z.number(), memoryTotalBytes: z.number().nullish() })).catch([]),
})

/** The GPUs of a node: of the server's own as nvidia-smi tells now, of another as it has told. */
export async function gpusOf(
  sources: GpuSources,
  { id, hardware }: Pick<Candidate, 'id' | 'hardware'>,
): Promise<NodeGpu[]> {
  if (id === OWN_NODE_ID) {
    const present = await readGpus(sources.environment)
    return present.map(({ index, memoryFreeBytes }) => ({ index, freeBytes: memoryFreeBytes ?? Infinity }))
  }
  const samples = sources.latestGpus(id) ?? []
  const { gpus } = Hardware.catch({ gpus: [] }).parse(hardware)
  return gpus.map(({ index, memoryTotalBytes }) => {
    const sample = samples.find((candidate) => candidate.index === index)
    const total = sample?.memoryTotalBytes ?? memoryTotalBytes ?? Infinity
    return { index, freeBytes: total - (sample?.memoryUsedBytes ?? 0) }
  })
}

/**
 * Chooses GPUs that nobody has reserved and that have room for a model, the preferred one first.
 *
 * @param where what has them, as a sentence begins
 * @returns their numbers; or a sentence that says why there are none
 */
export function chooseGpus(
  { gpuCount, preferredGpu }: Pick<ServerSettings, 'gpuCount' | 'preferredGpu'>,
  { gpus, reserved, modelBytes }: { gpus: NodeGpu[]; reserved: ReadonlySet<number>; modelBytes: number },
  where: string,
): number[] | string {
  const wanted = gpuCount ?? Math.min(gpus.length, 1)
  if (wanted === 0) return []
  if (gpus.length < wanted) {
    return gpus.length === 0
      ? `${where} has no GPU that nvidia-smi tells of: deploy with gpuCount 0.`
      : `${where} has ${gpus.length} GPUs, not ${wanted}.`
  }
  const needed = (modelBytes * WEIGHT_OVERHEAD) / wanted
  const free = gpus
    .filter(({ index, freeBytes }) => !reserved.has(index) && freeBytes >= needed)
    .sort((one, other) => other.freeBytes - one.freeBytes)
    .map(({ index }) => index)
  const preferred = free.filter((index) => index === preferredGpu)
  const chosen = [...new Set([...preferred, ...free])].slice(0, wanted)
  if (chosen.length === wanted) return chosen.sort((one, other) => one - other)
  const what = wanted === 1 ? 'no GPU' : `no ${wanted} GPUs`
  return `${where} has ${what} free for this: each needs ${toGiB(needed)} GiB of free memory, and must not be another's.`
}
