import { expect, test } from 'vitest'
import { spreadSteps } from '../../../src/execution/output/spread.ts'

const lines = (count: number, step: number) => Array.from({ length: count }, () => ({ keys: ['loss'], step }))

test.each([
  { what: 'one line keeps the step of the bar', given: lines(1, 12), before: 10, expected: [12] },
  { what: 'a line a step is exact', given: lines(3, 13), before: 10, expected: [11, 12, 13] },
  { what: 'a line every ten steps is spread', given: lines(2, 30), before: 10, expected: [20, 30] },
  { what: 'the first lines count down from the bar', given: lines(3, 3), before: null, expected: [1, 2, 3] },
  { what: 'a bar that began again is believed', given: lines(2, 5), before: 90, expected: [4, 5] },
])('$what', ({ given, before, expected }) => {
  spreadSteps(given, before)
  expect(given.map((line) => line.step)).toEqual(expected)
})

test('lines with different keys belong to one step', () => {
  const given = [
    { keys: ['loss'], step: 20 },
    { keys: ['eval_loss'], step: 20 },
    { keys: ['loss'], step: 20 },
  ]
  spreadSteps(given, 10)
  expect(given.map((line) => line.step)).toEqual([15, 15, 20])
})
