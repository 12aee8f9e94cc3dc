import { axisLabels, type Scale, scaleOf } from './scale.ts'

export interface Point {
  x: number
  y: number
}

/** One line of a chart. */
export interface Series {
  points: readonly Point[]
  /** Gives its part of a row a colour. */
  paint?: (text: string) => string
}

export interface ChartOptions {
  /** Of the whole chart, labels included, in characters. */
  width: number
  /** Of the plot alone, in rows. */
  height: number
  /** A place to point out by an upright dotted line. */
  mark?: { x: number; label: string }
}

/** Braille characters: two dots wide, four high. Their bits, by row from the top, then by column. */
const BRAILLE = 0x2800
const DOT_BITS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const
const DOTS_WIDE = 2
const DOTS_HIGH = 4

/** One character of the plot. */
interface Cell {
  dots: number
  series: Series | null
}

/**
 * Lines from x = 0 on, with a logarithmic y axis, on which a loss shows its whole way down. What is not above
 * zero has no place on it and is left out. Where lines meet, the last one is seen.
 *
 * @returns the rows, or none where there is nothing to show
 */
export function drawChart(series: readonly Series[], options: ChartOptions): string[] {
  const visible = series.map((line) => ({ ...line, points: line.points.filter(({ y }) => y > 0) }))
  const points = visible.flatMap((line) => line.points)
  if (points.length === 0) return []
  const { height } = options
  const vertical = scaleOf(
    points.map(({ y }) => y),
    'logarithmic',
  )
  const yLabels = axisLabels(vertical, height)
  const margin = Math.max(...yLabels.map(({ text }) => text.length))
  const width = options.width - margin - 2
  const horizontal = scaleOf([0, ...points.map(({ x }) => x)], 'linear')

  const cells = drawLines(visible, { width, height, horizontal, vertical })
  const markAt = options.mark ? Math.round(horizontal.place(options.mark.x) * (width - 1)) : null
  const rows = cells.map((row, index) => {
    const label = yLabels.find(({ at }) => Math.round((1 - at) * (height - 1)) === index)?.text ?? ''
    const marked = index === 0 && options.mark ? options.mark.label : ''
    return `${label.padStart(margin)} ${label === '' ? '│' : '┤'}${renderRow(row, markAt, marked)}`
  })
  return [...rows, ...horizontalAxis(horizontal, margin, width)]
}

function drawLines(
  series: readonly Series[],
  plot: { width: number; height: number; horizontal: Scale; vertical: Scale },
): Cell[][] {
  const cells = Array.from({ length: plot.height }, () =>
    Array.from({ length: plot.width }, (): Cell => ({ dots: 0, series: null })),
  )
  const across = plot.width * DOTS_WIDE - 1
  const down = plot.height * DOTS_HIGH - 1
  for (const line of series) {
    const places = line.points.map(({ x, y }) => ({
      x: plot.horizontal.place(x) * across,
      y: (1 - plot.vertical.place(y)) * down,
    }))
    for (const [index, to] of places.entries()) {
      const from = places[index - 1] ?? to
      const dots = Math.ceil(Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1))
      for (let dot = 0; dot <= dots; dot++) {
        const x = Math.round(from.x + ((to.x - from.x) * dot) / dots)
        const y = Math.round(from.y + ((to.y - from.y) * dot) / dots)
        const cell = cells[Math.floor(y / DOTS_HIGH)]?.[Math.floor(x / DOTS_WIDE)]
        if (!cell) continue
        cell.dots |= DOT_BITS[y % DOTS_HIGH]?.[x % DOTS_WIDE] ?? 0
        cell.series = line
      }
    }
  }
  return cells
}

/** A row as text; the mark and its label stand where no line is. */
function renderRow(row: readonly Cell[], markAt: number | null, label: string): string {
  const plain = row.map(({ dots }, column) => {
    if (dots > 0) return String.fromCodePoint(BRAILLE + dots)
    if (column === markAt) return '┊'
    const letter = markAt === null ? undefined : label[column - markAt - 2]
    return letter ?? ' '
  })
  const parts: { series: Series | null; text: string }[] = []
  for (const [column, character] of plain.entries()) {
    const series = row[column]?.series ?? null
    const last = parts.at(-1)
    if (last && last.series === series) last.text += character
    else parts.push({ series, text: character })
  }
  return parts
    .map(({ series, text }) => series?.paint?.(text) ?? text)
    .join('')
    .trimEnd()
}

function horizontalAxis(scale: Scale, margin: number, width: number): string[] {
  const axis = Array.from({ length: width }, () => '─')
  const labels = Array.from({ length: width }, () => ' ')
  let free = 0
  for (const { at, text } of axisLabels(scale, Math.floor(width / 10))) {
    const column = Math.round(at * (width - 1))
    const start = Math.min(width - text.length, Math.max(0, column - Math.floor(text.length / 2)))
    if (start < free) continue
    axis[column] = '┬'
    labels.splice(start, text.length, ...text)
    free = start + text.length + 1
  }
  return [`${' '.repeat(margin)} └${axis.join('')}`, `${' '.repeat(margin + 2)}${labels.join('').trimEnd()}`]
}
