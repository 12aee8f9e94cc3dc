import { canStart } from '../execution/program.ts'
import { GPU_PROGRAM, type Gpu, queryGpus } from './gpus.ts'
import type { GpuSample } from './types.ts'

/** What a meter of GPUs needs. */
export interface GpuMeterDependencies {
  environment: Record<string, string>
  /** The time in ms, which only tests set. */
  now?: () => number
  /** How long nvidia-smi may take, in ms, which only tests set. */
  timeoutMs?: number
}

/** After nvidia-smi failed, or told of no GPU, it is left alone for this long. */
const PAUSE_MS = 60_000
/** A sample is not worth waiting for much longer. */
const TIMEOUT_MS = 10_000

/**
 * Tells how the GPUs do: none where there is no nvidia-smi, and then it is looked for once a minute at most. While
 * it fails, as it does when a driver hangs, the GPUs that it told of before remain, with nothing known about them.
 */
export function createGpuMeter({
  environment,
  now = () => performance.now(),
  timeoutMs = TIMEOUT_MS,
}: GpuMeterDependencies): () => Promise<GpuSample[]> {
  let known: GpuSample[] = []
  let pausedUntil = Number.NEGATIVE_INFINITY

  async function query(): Promise<GpuSample[]> {
    if (!canStart(GPU_PROGRAM, { path: environment.PATH ?? '', cwd: '/' })) return []
    const gpus = await queryGpus(environment, timeoutMs)
    return gpus === null ? known.map(asUnknown) : gpus.map(toSample)
  }

  return async () => {
    if (now() < pausedUntil) return known
    known = await query()
    const told = known.some((gpu) => FACTS.some((fact) => gpu[fact] !== null))
    if (!told) pausedUntil = now() + PAUSE_MS
    return known
  }
}

/** What may be known of a GPU at a moment. */
const FACTS = ['utilization', 'memoryUsedBytes', 'temperatureCelsius', 'powerWatts'] as const

function toSample({ index, name, memoryTotalBytes, ...gpu }: Gpu): GpuSample {
  const { utilization, memoryUsedBytes, temperatureCelsius, powerWatts } = gpu
  return {
    index,
    name,
    utilization,
    memoryUsedBytes,
    memoryTotalBytes,
    temperatureCelsius,
    powerWatts,
  }
}

function asUnknown(gpu: GpuSample): GpuSample {
  return { ...gpu, utilization: null, memoryUsedBytes: null, temperatureCelsius: null, powerWatts: null }
}
