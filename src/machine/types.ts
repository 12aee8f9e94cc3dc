/** How a machine does at a moment; null is what cannot be told. */
export interface TelemetrySample {
  timestamp: Date
  /** The part of the time since the sample before in which its processors had work, in percent. */
  cpuUsage: number
  /** The part of its memory that is not available to new work, in percent. */
  memoryUsage: number
  memoryTotalBytes: number
  /** How full the filesystem of its folder is, in percent. */
  diskUsage: number | null
  /** What came in since the sample before, in bytes per second; null in the first sample. */
  networkRxBytesPerSecond: number | null
  /** What went out since the sample before, in bytes per second; null in the first sample. */
  networkTxBytesPerSecond: number | null
  gpus: GpuSample[]
}

/** How a GPU does. */
export interface GpuSample {
  /** Its number, as nvidia-smi counts. */
  index: number
  name: string
  /** The part of the time in which something ran on it, in percent. */
  utilization: number | null
  memoryUsedBytes: number | null
  memoryTotalBytes: number | null
  temperatureCelsius: number | null
  powerWatts: number | null
}

/** What a machine is; null is what cannot be told. Of types, not interfaces, as it is sent and stored as JSON. */
export type Hardware = {
  hostname: string
  /** The operating system and its version, such as Debian GNU/Linux 12 (bookworm). */
  os: string | null
  kernel: string
  /** As Node names it: x64, arm64. */
  architecture: string
  cpu: {
    model: string | null
    /** Physical cores of all sockets together. */
    cores: number | null
    /** What runs at the same time. */
    threads: number
  }
  /** What may be used of the memory: less than there is in a container that has a limit. */
  memoryTotalBytes: number
  /** The filesystems on disks, without those that exist in memory only; null when they could not be listed. */
  disks: Disk[] | null
  gpus: HardwareGpu[]
  /** Made when the operating system was installed, and kept. */
  machineId: string | null
  /** Another one after every start of the machine. */
  bootId: string | null
}

/** A filesystem. */
export type Disk = {
  mount: string
  sizeBytes: number
}

/** What a GPU is. */
export type HardwareGpu = {
  index: number
  uuid: string | null
  name: string
  driverVersion: string | null
  memoryTotalBytes: number | null
}
