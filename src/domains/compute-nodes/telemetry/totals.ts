import {
  type GpuMeasure,
  gpuSpreadOf,
  gpusOf,
  type Measure,
  type Spread,
  spreadOf,
  type TelemetrySummary,
} from './summary.ts'

/** What several nodes measured in a span of time, together. */
export interface TelemetryTotal {
  timestamp: Date
  /** How many of them measured anything. */
  nodeCount: number
  /** Of nodes, each counting the same: the lowest, the mean and the highest. */
  cpuUsage: Spread | null
  memoryUsage: Spread | null
  diskUsage: Spread | null
  /** Of all nodes together. */
  memoryTotalBytes: number
  memoryUsedBytes: number
  networkRxBytesPerSecond: number | null
  networkTxBytesPerSecond: number | null
  gpuCount: number
  /** Of GPUs, each counting the same. */
  gpuUtilization: Spread | null
  gpuMemoryUsedBytes: number | null
  gpuMemoryTotalBytes: number | null
  gpuPowerWatts: number | null
}

/** What summaries of different nodes, of the same span of time, come to. At least one must be given. */
export function totalOf(ofNodes: TelemetrySummary[]): TelemetryTotal {
  const all = (measure: Measure) => ofNodes.flatMap((node) => spreadOf(node, measure) ?? [])
  const gpus = ofNodes.flatMap((node) => gpusOf(node).map((index) => ({ node, index })))
  const allGpus = (measure: GpuMeasure) =>
    gpus.flatMap(({ node, index }) => gpuSpreadOf(node, index, measure) ?? [])
  const memoryUsed = ofNodes.map((node) => {
    const [usage, total] = [spreadOf(node, 'memoryUsage'), spreadOf(node, 'memoryTotalBytes')]
    return usage && total ? (usage.mean / 100) * total.mean : 0
  })
  return {
    timestamp: new Date(Math.min(...ofNodes.map(({ timestamp }) => timestamp.getTime()))),
    nodeCount: ofNodes.length,
    cpuUsage: evenly(all('cpuUsage')),
    memoryUsage: evenly(all('memoryUsage')),
    diskUsage: evenly(all('diskUsage')),
    memoryTotalBytes: sumOf(all('memoryTotalBytes')) ?? 0,
    memoryUsedBytes: memoryUsed.reduce((sum, bytes) => sum + bytes, 0),
    networkRxBytesPerSecond: sumOf(all('networkRxBytesPerSecond')),
    networkTxBytesPerSecond: sumOf(all('networkTxBytesPerSecond')),
    gpuCount: gpus.length,
    gpuUtilization: evenly(allGpus('utilization')),
    gpuMemoryUsedBytes: sumOf(allGpus('memoryUsedBytes')),
    gpuMemoryTotalBytes: sumOf(allGpus('memoryTotalBytes')),
    gpuPowerWatts: sumOf(allGpus('powerWatts')),
  }
}

/** The extremes of all, and the mean of the means; null without any. */
function evenly(spreads: Spread[]): Spread | null {
  if (spreads.length === 0) return null
  return {
    min: Math.min(...spreads.map(({ min }) => min)),
    max: Math.max(...spreads.map(({ max }) => max)),
    mean: (sumOf(spreads) ?? 0) / spreads.length,
    count: spreads.length,
  }
}

/** The sum of the means; null without any. */
function sumOf(spreads: Spread[]): number | null {
  return spreads.length === 0 ? null : spreads.reduce((sum, { mean }) => sum + mean, 0)
}
