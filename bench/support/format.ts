import type { Goal } from '../bench-case.ts'

const MiB = 1024 * 1024

/** `41,200`; with as many decimals as make three digits. */
export function formatNumber(value: number): string {
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.max(1, Math.abs(value)))))
  return value.toLocaleString('en-US', { maximumFractionDigits: decimals })
}

/** `41,200 lines/s`, three digits of it. */
export function formatRate(count: number, seconds: number, unit: string): string {
  return `${formatNumber(Number((count / seconds).toPrecision(3)))} ${unit}/s`
}

/** `12.3 ms`. */
export function formatMs(ms: number): string {
  return `${formatNumber(ms)} ms`
}

/** `92 MB`, of 1,048,576 bytes each. */
export function formatMemory(bytes: number): string {
  return `${formatNumber(Math.round(bytes / MiB))} MB`
}

/** `≥ 0.5`. */
export function formatGoal(goal: Goal): string {
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`
}

/** Whether a ratio is where its goal wants it. */
export function isMet({ value, goal }: { value: number; goal: Goal }): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}
