import {
  createOutputParser,
  type OutputParser,
  type ParsedMetric,
} from '../../../src/execution/output/parse.ts'
import type { Progress } from '../../../src/execution/output/progress.ts'
import type { OutputSource } from '../../../src/execution/output/text.ts'

/** How tqdm draws a bar. */
export function bar(current: number, total: number, { description = '', postfix = '' } = {}): string {
  const percent = String(Math.round((100 * current) / total)).padStart(3)
  const name = description === '' ? '' : `${description}: `
  return `${name}${percent}%|██▎       | ${current}/${total} [00:10<05:30,  1.47it/s${postfix && `, ${postfix}`}]`
}

/** Everything that a run's lines say, in their order. */
export function read(
  lines: (string | [OutputSource, string])[],
  parser: OutputParser = createOutputParser(),
) {
  const metrics: ParsedMetric[] = []
  const progress: Progress[] = []
  for (const entry of lines) {
    const [source, line]: [OutputSource, string] = typeof entry === 'string' ? ['STDOUT', entry] : entry
    const output = parser.parse(line, source)
    metrics.push(...(output?.metrics ?? []))
    if (output?.progress !== undefined) progress.push(output.progress)
  }
  return { metrics, progress, last: Object.assign({}, ...progress) as Progress, parser }
}

/** The steps of one metric's values. */
export function stepsOf(metrics: ParsedMetric[], key: string): number[] {
  return metrics.filter((metric) => metric.key === key).map(({ step }) => step)
}
