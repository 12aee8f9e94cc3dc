import { readFile } from 'node:fs/promises'
import { arch, availableParallelism, hostname, release } from 'node:os'
import { cpu, fsSize, osInfo, uuid } from 'systeminformation'
import { type Gpu, readGpus } from './gpus.ts'
import { readMemory } from './memory.ts'
import type { Disk, Hardware, HardwareGpu } from './types.ts'

/** How long a part may take, in ms: a dead network filesystem makes df wait for ever. */
const TIMEOUT_MS = 10_000

/**
 * What this machine is. Needs no rights; what it cannot find out is null.
 *
 * @param environment where nvidia-smi is looked up, and whose CUDA_VISIBLE_DEVICES leaves GPUs out
 */
export async function readHardware(environment: Record<string, string>): Promise<Hardware> {
  const [os, processor, memory, filesystems, gpus, machineId, bootId] = await Promise.all([
    orNull(readOs()),
    orNull(cpu()),
    readMemory(),
    orNull(fsSize()),
    readGpus(environment),
    orNull(uuid().then((ids) => ids.os)),
    orNull(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
  ])
  const model = [processor?.manufacturer, processor?.brand].map(known).filter((part) => part !== null)
  return {
    hostname: hostname(),
    os: known(os),
    kernel: release(),
    architecture: arch(),
    cpu: {
      model: known(model.join(' ')),
      cores: processor?.physicalCores || null,
      threads: processor?.cores || availableParallelism(),
    },
    memoryTotalBytes: memory.totalBytes,
    disks: filesystems && toDisks(filesystems),
    gpus: gpus.map(toHardware),
    machineId: known(machineId),
    bootId: known(bootId),
  }
}

/** The library looks the full name of the machine up besides, for which everything waits while no name server answers. */
async function readOs(): Promise<string> {
  if (process.platform !== 'linux') {
    const { distro, release } = await osInfo()
    return `${distro} ${release}`
  }
  const text = await readFile('/etc/os-release', 'utf8').catch(() => readFile('/usr/lib/os-release', 'utf8'))
  return /^PRETTY_NAME=(["']?)(.*)\1$/m.exec(text)?.[2] ?? ''
}

/** Those on disks, each once: what is mounted at several places is where its path is shortest. */
function toDisks(filesystems: { fs: string; type: string; size: number; mount: string }[]): Disk[] {
  const onDisks = filesystems
    .filter(({ fs, type, mount, size }) => {
      if (size === 0 || fs.startsWith('/dev/loop')) return false
      return mount === '/' || fs.startsWith('/') || fs.includes(':') || type === 'zfs'
    })
    .toSorted((one, other) => one.mount.length - other.mount.length)
  const first = new Map(onDisks.toReversed().map((filesystem) => [filesystem.fs, filesystem]))
  return onDisks
    .filter((filesystem) => first.get(filesystem.fs) === filesystem)
    .map(({ mount, size }) => ({ mount, sizeBytes: size }))
}

function toHardware({ index, uuid, name, driverVersion, memoryTotalBytes }: Gpu): HardwareGpu {
  return { index, uuid, name, driverVersion, memoryTotalBytes }
}

/** Text that says something. */
function known(text: string | null | undefined): string | null {
  const trimmed = text?.trim()
  return trimmed && trimmed !== 'unknown' ? trimmed : null
}

/** What comes in time, or null. */
function orNull<T>(asked: Promise<T>): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>()
  const timer = setTimeout(() => resolve(null), TIMEOUT_MS)
  asked.then(resolve, () => resolve(null)).finally(() => clearTimeout(timer))
  return promise
}
