import { formatTable } from '../../src/demo/table.ts'
import type { BenchCase, Measurement } from '../bench-case.ts'
import { formatGoal, formatNumber, isMet } from './format.ts'
import type { Environment } from './machine.ts'

/** What came of a case. */
export interface CaseResult {
  name: BenchCase['name']
  description: string
  measurements: Measurement[]
  /** Whether it came to its end. */
  completed: boolean
}

/** What came of the benchmark; printed as it is by `--json`. */
export interface Report extends Environment {
  scale: number
  results: CaseResult[]
}

/** Whether everything was measured and every goal met. */
export function isSuccess({ results }: Report): boolean {
  return results.every(
    ({ completed, measurements }) => completed && measurements.every((each) => metOf(each) !== false),
  )
}

/** For a terminal. */
export function formatReport(report: Report): string {
  const columns = COLUMNS.map(({ title, text, align }) => ({ title, text, align }))
  return [...formatTable(columns, rowsOf(report)), '', ...footnotes(report)].join('\n')
}

/** For the README. */
export function formatMarkdown(report: Report): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [
    line(COLUMNS.map(({ title }) => title)),
    line(COLUMNS.map(({ align }) => (align === 'right' ? '--:' : '---'))),
    ...rowsOf(report).map((row) => line(COLUMNS.map(({ text }) => text(row)))),
    '',
    ...footnotes(report),
  ].join('\n')
}

interface Row extends Measurement {
  name: string
}

const COLUMNS: { title: string; text: (row: Row) => string; align: 'left' | 'right' }[] = [
  { title: 'case', text: (row) => row.name, align: 'left' },
  { title: 'what', text: (row) => row.what, align: 'left' },
  { title: 'measured', text: (row) => row.measured, align: 'right' },
  { title: 'limit', text: ({ limit }) => (limit ? `${limit.what}: ${limit.measured}` : ''), align: 'left' },
  { title: 'ratio', text: ({ ratio }) => (ratio ? formatNumber(ratio.value) : ''), align: 'right' },
  { title: 'goal', text: ({ ratio }) => (ratio?.goal ? formatGoal(ratio.goal) : ''), align: 'right' },
  { title: 'met', text: (row) => ({ true: 'yes', false: 'NO', null: '' })[`${metOf(row)}`], align: 'left' },
]

function rowsOf({ results }: Report): Row[] {
  return results.flatMap(({ name, measurements, completed }) => [
    ...measurements.map((each) => ({ name, ...each })),
    ...(completed ? [] : [{ name, what: 'failed; see above', measured: '', limit: null }]),
  ])
}

/** Null where nothing was promised. */
function metOf({ ratio }: Measurement): boolean | null {
  return ratio?.goal ? isMet({ value: ratio.value, goal: ratio.goal }) : null
}

function footnotes({ machine, date, versions, scale }: Report): string[] {
  const libraries = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${machine}; ${date}; ${libraries.join(', ')}.`,
    ...(scale === 1 ? [] : [`At ${scale} of the size: a quick look, for which the goals are not stated.`]),
  ]
}
