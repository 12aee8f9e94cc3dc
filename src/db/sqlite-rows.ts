import type { Connection } from './statements.ts'

/** A number as text with all of its digits: SQLite writes the numbers in its JSON with 15, which loses some. */
export function exactly(expression: string): string {
  return `CASE WHEN ${expression} IS NOT NULL THEN printf('%!.17g', ${expression}) END`
}

/**
 * A number as text that SQLite reads back as exactly that number when it goes into a REAL column; the
 * shortest text, as in JSON, it sometimes takes for the neighbour.
 */
export function allDigits(value: number): string {
  return value.toPrecision(17)
}

export function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text)
}

/**
 * Rows as texts of fields with fixed widths (and one more at the end, of any width) for statements that take
 * thousands: SQLite takes these apart three times as fast as arrays. `columns` are the fields of a row of
 * json_each, for columns that make numbers of them.
 */
export function fixedWidth(widths: number[]) {
  const starts = widths.map((_, index) => widths.slice(0, index).reduce((sum, width) => sum + width, 1))
  const end = widths.reduce((sum, width) => sum + width, 1)
  const columns = widths.map((width, index) => `substr(value, ${starts[index]}, ${width})`)
  return {
    columns: [...columns, `substr(value, ${end})`].join(', '),
    toText: (row: (string | number)[]) =>
      row.map((field, index) => String(field).padEnd(widths[index] ?? 0)).join(''),
  }
}

/** Runs a SELECT and gives its rows as arrays of the named columns, in its order. */
export async function readRows<Row extends unknown[]>(
  on: Connection,
  select: string,
  columns: string[],
  values: (string | number)[],
): Promise<Row[]> {
  const names = columns.map((column) => `"${column}"`).join(', ')
  const [result] = await on.$queryRawUnsafe<{ rows: string }[]>(
    `SELECT json_group_array(json_array(${names})) AS "rows" FROM (${select})`,
    ...values,
  )
  return JSON.parse(result?.rows ?? '[]')
}
