import { expect, test } from 'vitest'
import { drawChart } from '../../src/demo/chart.ts'

/** A straight line on the logarithmic axis: a tenth every hundred steps. */
const falling = Array.from({ length: 31 }, (_, index) => ({ x: index * 10, y: 10 ** (-index / 10) }))

test('a loss is drawn from its first value down to its last, with round numbers at the axes', () => {
  const chart = drawChart([{ points: falling }], { width: 40, height: 7 })

  expect(chart).toEqual([
    '    1 ┤⠙⠒⠤⢄⡀',
    '      │    ⠈⠉⠒⠤⣀⡀',
    '  0.1 ┤         ⠈⠑⠢⢤⣀',
    '      │              ⠉⠓⠢⢤⣀',
    ' 0.01 ┤                   ⠉⠒⠢⢄⡀',
    '      │                       ⠈⠉⠒⠤⣀⡀',
    '0.001 ┤                            ⠈⠙⠒⠤⣄',
    '      └┬──────────┬─────────┬──────────┬',
    '       0         100       200       300',
  ])
})

test('each line has its colour, and a mark gives way to the lines', () => {
  const chart = drawChart(
    [
      { points: falling.slice(0, 16), paint: (text) => `<${text}>` },
      { points: falling.slice(15), paint: (text) => `(${text})` },
    ],
    { width: 40, height: 3, mark: { x: 150, label: 'resumed' } },
  )

  expect(chart.slice(0, 3)).toEqual([
    '    1 ┤<⠉⠉⠒⠒⠲⠤⠤⢄⣀⣀⡀>     ┊ resumed',
    ' 0.01 ┤          <⠈⠉⠉⠑⠒⠒>(⠢⠤⠤⢄⣀⣀⡀)',
    '0.001 ┤                ┊     (⠈⠉⠉⠑⠒⠒⠦⠤⠤⣀⣀)',
  ])
})

test('values that a logarithmic axis has no place for are left out', () => {
  const points = [{ x: 1, y: 0 }, { x: 2, y: Number.NaN }, ...falling]

  expect(drawChart([{ points }], { width: 60, height: 5 })).toEqual(
    drawChart([{ points: falling }], { width: 60, height: 5 }),
  )
  expect(drawChart([{ points: [{ x: 1, y: 0 }] }], { width: 60, height: 5 })).toEqual([])
})

test('a single value, and a hundred thousand, fit too', () => {
  const many = Array.from({ length: 100_000 }, (_, x) => ({ x, y: 1 + Math.sin(x / 1000) / 2 }))

  for (const points of [[{ x: 7, y: 0.5 }], many]) {
    const chart = drawChart([{ points }], { width: 80, height: 10 })
    expect(chart).toHaveLength(12)
    expect(Math.max(...chart.map((row) => row.length))).toBeLessThanOrEqual(80)
    expect(chart.join('')).toMatch(/[\u2801-\u28ff]/)
  }
})
