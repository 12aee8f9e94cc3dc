import type { TelemetrySample } from '../../../machine/types.ts'
import type { AlertCondition } from '../conditions.ts'
import type { Tracker } from './tracker.ts'

/** What of a sample alerts depend on. */
export type ObservedSample = Pick<TelemetrySample, 'cpuUsage' | 'memoryUsage' | 'diskUsage'> & {
  gpus: Pick<TelemetrySample['gpus'][number], 'index' | 'temperatureCelsius'>[]
}

/** What is compared with a threshold. */
interface Measured {
  value: number
  /** What was measured, for people. */
  what: string
  unit: string
}

/** What each condition compares; null for what cannot be told, of which nothing follows. */
const MEASURES: [AlertCondition, (sample: ObservedSample) => Measured | null][] = [
  ['NODE_CPU', ({ cpuUsage }) => ({ value: cpuUsage, what: 'CPU usage', unit: '%' })],
  ['NODE_MEMORY', ({ memoryUsage }) => ({ value: memoryUsage, what: 'memory usage', unit: '%' })],
  [
    'NODE_DISK',
    ({ diskUsage }) => (diskUsage === null ? null : { value: diskUsage, what: 'disk usage', unit: '%' }),
  ],
  ['GPU_TEMPERATURE', ({ gpus }) => hottestOf(gpus)],
]

/** Holds a sample of a node against the rules. Cheap: it is called for every node every few seconds. */
export function observeSample(tracker: Tracker, nodeId: string, sample: ObservedSample): void {
  for (const [condition, measure] of MEASURES) {
    const rules = tracker.rulesOf(condition)
    if (rules.length === 0) continue
    const measured = measure(sample)
    if (!measured) continue
    for (const rule of rules) {
      const { threshold, durationMs } = rule
      const isOver = threshold !== null && measured.value >= threshold
      const message = (name: string) => {
        const { value, what, unit } = measured
        const lasting = durationMs > 0 ? ` for ${durationMs / 1000} s` : ''
        return `${name}: ${what} is ${round(value)} ${unit}, at or above ${threshold} ${unit}${lasting}.`
      }
      const finding = isOver ? { value: round(measured.value), message } : null
      tracker.report(rule, { kind: 'ComputeNode', id: nodeId }, finding, false)
    }
  }
}

function hottestOf(gpus: ObservedSample['gpus']): Measured | null {
  let hottest: Measured | null = null
  for (const { index, temperatureCelsius } of gpus) {
    if (temperatureCelsius === null || (hottest && temperatureCelsius <= hottest.value)) continue
    hottest = { value: temperatureCelsius, what: `the temperature of GPU ${index}`, unit: '°C' }
  }
  return hottest
}

const round = (value: number) => Math.round(value * 10) / 10
