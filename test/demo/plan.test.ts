import { expect, test } from 'vitest'
import { planCancel, planResume } from '../../src/demo/plan.ts'
import type { DemoRunFragment } from '../../src/generated/operations.ts'

const at = (step: number | null): DemoRunFragment => ({
  id: 'run',
  name: 'run-001',
  status: 'RUNNING',
  statusReason: null,
  progress: 0,
  step,
  totalSteps: 1500,
  hyperparameters: {},
})

test('the first run is cancelled at step 600, or earlier where that takes too long', () => {
  let now = 0
  const cancels = planCancel(() => now)

  expect([null, 400, 599, 600].map((step) => cancels(at(step)))).toEqual([false, false, false, true])
  now = 26_000
  expect([null, 199, 200].map((step) => cancels(at(step)))).toEqual([false, false, true])
})

test.each([
  { speed: 'quick', step: 600, seconds: 14, last: 1500 },
  { speed: 'slow', step: 300, seconds: 30, last: 750 },
  { speed: 'very slow', step: 200, seconds: 100, last: 400 },
])('the second run of a $speed machine trains to step $last', ({ step, seconds, last }) => {
  const finishedAt = new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString()

  expect(planResume({ step, startedAt: '2026-01-01T00:00:00.000Z', finishedAt })).toBe(last)
})
