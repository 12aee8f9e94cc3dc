import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cases } from './cases.ts'
import { runIsolated } from './support/isolate.ts'
import { describeEnvironment } from './support/machine.ts'
import { type CaseResult, formatMarkdown, formatReport, isSuccess, type Report } from './support/report.ts'

const USAGE = `npm run bench -- [CASE ...] [--quick | --scale N] [--json | --markdown]

${cases.map(({ name, description }) => `  ${name.padEnd(8)} ${description}`).join('\n')}

  --scale N    the sizes times N (default 1, for which the goals are stated)
  --quick      as --scale 0.1
  --json       everything as JSON instead of a table
  --markdown   the table in Markdown

Ends with exit code 1 when a goal is missed or a case fails.
`
/** The size of `--quick`. */
const QUICK = 0.1

/** A wrong argument; the message says which. */
class UsageError extends Error {
  override readonly name = 'UsageError'
}

try {
  const { chosen, scale, print } = readArguments()
  if (chosen.length > 0) {
    const report = await measure(chosen, scale)
    process.stdout.write(`${print(report)}\n`)
    process.exitCode = isSuccess(report) ? 0 : 1
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}

function readArguments() {
  const { values, positionals } = parse()
  if (values.help) process.stdout.write(USAGE)
  const unknown = positionals.filter((name) => !cases.some((each) => each.name === name))
  if (unknown.length > 0) throw new UsageError(`There is no case ${unknown.join(', ')}.`)
  const scale = values.quick ? QUICK : Number(values.scale)
  if (!(scale > 0)) throw new UsageError(`--scale must be a number above 0, not ${values.scale}.`)
  const asked = positionals.length > 0 ? cases.filter(({ name }) => positionals.includes(name)) : cases
  return {
    chosen: values.help ? [] : asked,
    scale,
    print: values.json
      ? (report: Report) => JSON.stringify(report, null, 2)
      : values.markdown
        ? formatMarkdown
        : formatReport,
  }
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        markdown: { type: 'boolean' },
        quick: { type: 'boolean' },
        scale: { type: 'string', default: '1' },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Runs the cases one after the other, in a folder that is gone afterwards. */
async function measure(chosen: typeof cases, scale: number): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-bench-'))
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interrupted.abort())
  try {
    const results: CaseResult[] = []
    for (const { name, description } of chosen) {
      process.stderr.write(`${name}: ${description}\n`)
      const outcome = await runIsolated(name, { scale, folder, signal: interrupted.signal }).then(
        (measurements) => ({ measurements, completed: true }),
        (error: unknown) => {
          process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
          return { measurements: [], completed: false }
        },
      )
      results.push({ name, description, ...outcome })
      if (interrupted.signal.aborted) break
    }
    return { ...describeEnvironment(), scale, results }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
