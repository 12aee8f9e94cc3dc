import { expect, test } from 'vitest'
import { formatProgress } from '../../src/demo/progress.ts'

const underWay = {
  fraction: 0.4,
  status: 'running',
  step: 60,
  totalSteps: 1500,
  loss: 0.20134,
  learningRate: 0.0043,
  elapsedMs: 83_000,
}

test('the bar, the step, the loss, the learning rate and the time stand in one line', () => {
  expect(formatProgress(underWay, 79)).toBe(
    '  ━━━━━━━━─────────────  40 %  step   60/1500  loss 0.201     lr 0.00430   1:23',
  )
})

test('a run that has not begun shows where it is', () => {
  const queued = { ...underWay, fraction: 0, step: null, loss: null, learningRate: null, status: 'queued' }

  expect(formatProgress(queued, 79)).toBe('  ──────────────────────────────   0 %  queued  1:23')
})

test('nothing moves while the numbers change, and no line is too long for its terminal', () => {
  const width = (change: object, room: number) => formatProgress({ ...underWay, ...change }, room).length

  expect(width({ loss: 2.5, learningRate: 1.2e-5, step: 1500, fraction: 1 }, 79)).toBe(79)
  expect(width({ loss: 0.000123 }, 79)).toBe(79)
  expect(width({}, 30)).toBeLessThanOrEqual(30)
})
