import type { TelemetrySample } from '../../../machine/types.ts'

/** What several samples say of one thing. */
export interface Spread {
  min: number
  mean: number
  max: number
  /** How many samples told it. */
  count: number
}

/** What samples say together: of each thing that at least one of them tells. */
export interface TelemetrySummary {
  /** When the first of them was taken, or the span of time began that they lie in. */
  timestamp: Date
  sampleCount: number
  spreads: ReadonlyMap<string, Spread>
}

/** What is measured of a machine. */
const MEASURES = [
  'cpuUsage',
  'memoryUsage',
  'memoryTotalBytes',
  'diskUsage',
  'networkRxBytesPerSecond',
  'networkTxBytesPerSecond',
] as const
export type Measure = (typeof MEASURES)[number]

/** What is measured of each of its GPUs. */
const GPU_MEASURES = [
  'utilization',
  'memoryUsedBytes',
  'memoryTotalBytes',
  'temperatureCelsius',
  'powerWatts',
] as const
export type GpuMeasure = (typeof GPU_MEASURES)[number]

/** The words for them in the database; those of a GPU follow its number, as in gpu0.use. */
const WORDS: Record<Measure, string> = {
  cpuUsage: 'cpu',
  memoryUsage: 'memory',
  memoryTotalBytes: 'memoryTotal',
  diskUsage: 'disk',
  networkRxBytesPerSecond: 'rx',
  networkTxBytesPerSecond: 'tx',
}
const GPU_WORDS: Record<GpuMeasure, string> = {
  utilization: 'use',
  memoryUsedBytes: 'memory',
  memoryTotalBytes: 'memoryTotal',
  temperatureCelsius: 'temperature',
  powerWatts: 'power',
}

/** The most GPUs of a machine that are looked at; more than any has. */
const MAX_GPUS = 64

/** A sample as a summary of itself. */
export function summaryOf(sample: TelemetrySample): TelemetrySummary {
  const spreads = new Map<string, Spread>()
  const tell = (word: string, value: number | null) => {
    if (value === null || !Number.isFinite(value)) return
    spreads.set(word, { min: value, mean: value, max: value, count: 1 })
  }
  for (const measure of MEASURES) tell(WORDS[measure], sample[measure])
  for (const gpu of sample.gpus.slice(0, MAX_GPUS)) {
    for (const measure of GPU_MEASURES) tell(gpuWord(gpu.index, measure), gpu[measure])
  }
  return { timestamp: sample.timestamp, sampleCount: 1, spreads }
}

const gpuWord = (index: number, measure: GpuMeasure) => `gpu${index}.${GPU_WORDS[measure]}`

/** What summaries say together; the time is that of the earliest. At least one must be given. */
export function mergeSummaries(summaries: TelemetrySummary[]): TelemetrySummary {
  const [first] = summaries
  if (!first) throw new Error('There is nothing to merge.')
  if (summaries.length === 1) return first
  const spreads = new Map<string, Spread>()
  for (const summary of summaries) {
    for (const [word, spread] of summary.spreads) {
      const earlier = spreads.get(word)
      spreads.set(word, earlier ? mergeSpreads(earlier, spread) : spread)
    }
  }
  return {
    timestamp: new Date(Math.min(...summaries.map(({ timestamp }) => timestamp.getTime()))),
    sampleCount: summaries.reduce((sum, { sampleCount }) => sum + sampleCount, 0),
    spreads,
  }
}

function mergeSpreads(one: Spread, other: Spread): Spread {
  const count = one.count + other.count
  return {
    min: Math.min(one.min, other.min),
    max: Math.max(one.max, other.max),
    mean: one.mean + (other.mean - one.mean) * (other.count / count),
    count,
  }
}

/** What a summary says of the machine. */
export function spreadOf(summary: TelemetrySummary, measure: Measure): Spread | null {
  return summary.spreads.get(WORDS[measure]) ?? null
}

/** What a summary says of a GPU. */
export function gpuSpreadOf(summary: TelemetrySummary, index: number, measure: GpuMeasure): Spread | null {
  return summary.spreads.get(gpuWord(index, measure)) ?? null
}

/** The numbers of the GPUs that a summary says something of, in order. */
export function gpusOf(summary: TelemetrySummary): number[] {
  const indices = new Set<number>()
  for (const word of summary.spreads.keys()) {
    const [, index] = /^gpu(\d+)\./.exec(word) ?? []
    if (index !== undefined) indices.add(Number(index))
  }
  return [...indices].sort((one, other) => one - other)
}

/** One number when all samples told the same; min, mean and max; and how many told it, when not all did. */
type StoredSpread = number | [number, number, number] | [number, number, number, number]

/** A summary as the database holds it, in a few bytes: there are many. */
export function toContent({ spreads, sampleCount }: TelemetrySummary): string {
  const stored = [...spreads].map(([word, { min, mean, max, count }]): [string, StoredSpread] => {
    if (count !== sampleCount) return [word, [round(min), round(mean), round(max), count]]
    return [word, min === max ? round(min) : [round(min), round(mean), round(max)]]
  })
  return JSON.stringify(Object.fromEntries(stored))
}

/** A summary from what `toContent` made of it. */
export function fromContent(start: number, sampleCount: number, content: string): TelemetrySummary {
  const stored: Record<string, StoredSpread> = JSON.parse(content)
  const spreads = new Map<string, Spread>()
  for (const [word, spread] of Object.entries(stored)) {
    const [min, mean, max, count = sampleCount] =
      typeof spread === 'number' ? [spread, spread, spread] : spread
    spreads.set(word, { min, mean, max, count })
  }
  return { timestamp: new Date(start), sampleCount, spreads }
}

/** Hundredths are more than anything is measured in. */
const round = (value: number) => Math.round(value * 100) / 100
