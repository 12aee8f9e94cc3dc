import type { DemoRunFragment } from '../generated/operations.ts'

/** Half-way down the curve, where it is steep; reached in a quarter of a minute where nothing else runs. */
const CANCEL_STEP = 600
/** Where the machine is slow, the first run ends after so long, as soon as it has learned a little. */
const CANCEL_MS = 25_000
const LEAST_CANCEL_STEP = 200
/** Nearly every sum is right by then. */
const LAST_STEP = 1500
/** How long the second run may take where the machine is slow. */
const RESUMED_MS = 45_000
/** What a run is resumed for at least. */
const LEAST_STEPS = 200

/** Says when to cancel the first run; time counts from here. */
export function planCancel(now: () => number = Date.now): (run: DemoRunFragment) => boolean {
  const start = now()
  return ({ step }) => {
    const least = now() - start > CANCEL_MS ? LEAST_CANCEL_STEP : CANCEL_STEP
    return step !== null && step >= least
  }
}

/** The step that the second run trains to, by the speed of the first: the demo is to end within two minutes. */
export function planResume(first: {
  step: number | null
  startedAt: string | null
  finishedAt: string | null
}): number {
  const step = first.step ?? 0
  const took = Date.parse(first.finishedAt ?? '') - Date.parse(first.startedAt ?? '')
  const affordable = took > 0 ? Math.floor((step / took) * RESUMED_MS) : LAST_STEP
  return Math.min(Math.max(LAST_STEP, step + LEAST_STEPS), step + Math.max(LEAST_STEPS, affordable))
}
