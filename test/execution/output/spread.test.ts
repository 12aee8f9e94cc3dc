import { expect, test } from 'vitest'
import { createStepSettler } from '../../../src/execution/output/spread.ts'

/** What becomes of lines that arrive in these groups, each with what the bar showed. */
function settled(groups: { bar: number; lines: string[][] }[]): number[] {
  const settler = createStepSettler()
  return groups.flatMap(({ bar, lines }) => {
    const borrowed = lines.map((keys) => ({ keys, step: bar }))
    settler.settle(borrowed)
    return borrowed.map((line) => line.step)
  })
}
const LOSS = ['loss', 'learning_rate']
const one = (bar: number) => ({ bar, lines: [LOSS] })

test.each([
  {
    what: 'a line a bar keeps the step of the bar',
    groups: [one(5), one(10), one(15)],
    expected: [5, 10, 15],
  },
  {
    what: 'the first lines count down from the bar',
    groups: [{ bar: 3, lines: [LOSS, LOSS, LOSS] }],
    expected: [1, 2, 3],
  },
  {
    what: 'lines that arrive together are spread',
    groups: [one(10), { bar: 30, lines: [LOSS, LOSS] }],
    expected: [10, 20, 30],
  },
  {
    what: 'a bar that is ahead is put back to the interval',
    groups: [one(5), one(10), one(15), one(21), one(25), one(31)],
    expected: [5, 10, 15, 20, 25, 30],
  },
  {
    what: 'a bar that lags is put forward, and no point gets the step of another',
    groups: [one(1), one(2), one(3), one(3), one(5), { bar: 8, lines: [LOSS, LOSS] }],
    expected: [1, 2, 3, 4, 5, 6, 7],
  },
  {
    what: 'a bar far from the interval is believed',
    groups: [one(10), one(20), one(30), one(37)],
    expected: [10, 20, 30, 37],
  },
  { what: 'a bar that began again is believed', groups: [one(90), one(5)], expected: [90, 5] },
  {
    what: 'an evaluation belongs to the step that was logged before it',
    groups: [one(1), one(2), one(3), { bar: 3, lines: [['eval_loss']] }, one(4)],
    expected: [1, 2, 3, 3, 4],
  },
])('$what', ({ groups, expected }) => {
  expect(settled(groups)).toEqual(expected)
})

test('lines with different keys that arrive together belong to one step', () => {
  expect(settled([one(10), { bar: 20, lines: [LOSS, ['eval_loss'], LOSS] }])).toEqual([10, 15, 15, 20])
})
