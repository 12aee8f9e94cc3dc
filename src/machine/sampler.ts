import { statfs } from 'node:fs/promises'
import { createCpuMeter } from './cpu.ts'
import { createGpuMeter } from './gpu-meter.ts'
import { readMemory } from './memory.ts'
import { createNetworkMeter } from './network.ts'
import type { TelemetrySample } from './types.ts'

/** What a sampler needs. */
export interface SamplerDependencies {
  /** Where nvidia-smi is looked up, and whose CUDA_VISIBLE_DEVICES leaves GPUs out. */
  environment: Record<string, string>
  /** The folder whose filesystem is looked at. */
  folder: string
}

export type Sampler = ReturnType<typeof createSampler>

/**
 * Tells how this machine does. Usage and rates are those since the sample before; the first takes up to a tenth
 * of a second for them. Without a GPU no process is started, and a sample takes about a millisecond.
 */
export function createSampler({ environment, folder }: SamplerDependencies) {
  const readCpu = createCpuMeter()
  const readNetwork = createNetworkMeter()
  const readGpus = createGpuMeter({ environment })
  let running: Promise<TelemetrySample> | null = null

  async function take(): Promise<TelemetrySample> {
    const [cpuUsage, memory, diskUsage, network, gpus] = await Promise.all([
      readCpu(),
      readMemory(),
      readDiskUsage(folder),
      readNetwork(),
      readGpus(),
    ])
    return {
      timestamp: new Date(),
      cpuUsage: toHundredths(cpuUsage),
      memoryUsage: toHundredths(100 * (1 - memory.availableBytes / memory.totalBytes)),
      memoryTotalBytes: memory.totalBytes,
      diskUsage: diskUsage === null ? null : toHundredths(diskUsage),
      networkRxBytesPerSecond: network?.rxBytesPerSecond ?? null,
      networkTxBytesPerSecond: network?.txBytesPerSecond ?? null,
      gpus,
    }
  }

  return {
    /** Takes a sample; who asks while one is being taken gets that one. */
    sample(): Promise<TelemetrySample> {
      running ??= take().finally(() => {
        running = null
      })
      return running
    },
  }
}

/** How full the filesystem of a folder is, in percent, as df tells it: of what those who are not root may fill. */
async function readDiskUsage(folder: string): Promise<number | null> {
  const found = await statfs(folder).catch(() => null)
  if (!found) return null
  const used = found.blocks - found.bfree
  const usable = used + found.bavail
  return usable > 0 ? (100 * used) / usable : null
}

const toHundredths = (value: number) => Math.round(value * 100) / 100
