/** Whether the full counts were asked for, by `npm run test:faults`; `npm test` plays the same scenarios shorter. */
const FULL = process.env.TRAINYARD_FAULTS === 'full'

/** How often, or how much: the second number only when the full counts were asked for. */
export function scaled(short: number, full: number): number {
  return FULL ? full : short
}

/** Says what a scenario did and what it found; silent in the short form. */
export function tell(scenario: string, findings: Record<string, string | number>): void {
  if (!FULL) return
  const text = Object.entries(findings).map(([name, value]) => `${name}: ${value}`)
  process.stdout.write(`\n${scenario}\n  ${text.join('\n  ')}\n`)
}
