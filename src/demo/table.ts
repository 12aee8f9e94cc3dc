/** A column of a table. */
export interface Column<Row> {
  title: string
  /** What stands in it. */
  text: (row: Row) => string
  /** Numbers stand right, so that they can be compared. @default 'left' */
  align?: 'left' | 'right'
}

/** Rows below their titles, each column as wide as it must be. @returns lines without spaces at their ends */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const laidOut = columns.map(({ title, text, align }) => {
    const cells = [title, ...rows.map(text)]
    const width = Math.max(...cells.map((cell) => cell.length))
    const pad = (cell: string) => (align === 'right' ? cell.padStart(width) : cell.padEnd(width))
    return { width, cells: cells.map(pad) }
  })
  const line = (index: number) =>
    laidOut
      .map(({ cells }) => cells[index])
      .join('  ')
      .trimEnd()
  const rule = laidOut.map(({ width }) => '─'.repeat(width)).join('  ')
  return [line(0), rule, ...rows.map((_, index) => line(index + 1))]
}
