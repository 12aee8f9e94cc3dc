import { join } from 'node:path'
import type { Database, Transaction } from '../../../db/database.ts'
import { levelOf } from '../../../execution/output/level.ts'
import type { OutputLine } from '../../../execution/output/lines.ts'
import {
  CHUNK_BYTES,
  letGo,
  type News,
  type OutputFile,
  openOutputFile,
} from '../../../execution/output/output-file.ts'
import { createOutputParser, type OutputParser, type ParsedOutput } from '../../../execution/output/parse.ts'
import { type BorrowedStep, createStepSettler } from '../../../execution/output/spread.ts'
import type { OutputSource } from '../../../execution/output/text.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import { appendLogLines, type NewLogLine, selectLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import { runTopics } from '../lifecycle.ts'
import { appendMetrics, MAX_STEP, type MetricPoint, toMetricKey } from '../metric-store.ts'
import { announceRun } from '../reporting.ts'

/** How many lines back the last one is looked for that is not blank. */
const LAST_WORDS_LINES = 20

/** Brings what the process of a run prints into the database. */
export interface OutputCollector {
  /** Stores what is new; true when there may be more at once. */
  collect(): Promise<boolean>
  /** The process is over: stores the rest, an unfinished last line included. */
  finish(): Promise<void>
  /** The last stored line of stderr that says something, for the reason of a failure. */
  lastErrorLine(): Promise<string | null>
  close(): Promise<void>
}

/** What one look at the files brought. */
interface Harvest {
  lines: Record<OutputSource, NewLogLine[]>
  points: MetricPoint[]
  /** Lines whose step is that of a progress bar, with their points. */
  borrowed: (BorrowedStep & { points: MetricPoint[] })[]
  progress: { progress?: number; step?: number; totalSteps?: number; epoch?: number }
}

/**
 * Continues where the last server stopped: lines, metrics, progress and the position up to which the
 * files were read are stored in one transaction, so nothing is lost and nothing comes twice.
 */
export async function createOutputCollector(
  deps: { database: Database; signals: Signals },
  run: Run,
  processDir: string,
): Promise<OutputCollector> {
  const { database, signals } = deps
  const stored = await database.prisma.runOutput.findUniqueOrThrow({ where: { runId: run.id } })
  const parser = createOutputParser(stored.parserState)
  const stderr = openOutputFile('STDERR', join(processDir, 'stderr.log'), Number(stored.stderrOffset))
  const stdout = openOutputFile('STDOUT', join(processDir, 'stdout.log'), Number(stored.stdoutOffset))
  let lastTimestamp = new Date(0)

  /** Time does not run back. */
  function advanceTo(timestamp: number): Date {
    if (timestamp > lastTimestamp.getTime()) lastTimestamp = new Date(timestamp)
    return lastTimestamp
  }

  function take(source: OutputFile, lines: OutputLine[], timestamp: Date, harvest: Harvest) {
    const taken = harvest.lines[source.name]
    for (const { message, partial, updates } of lines) {
      for (const update of updates) understand(parser, update, source.name, timestamp, harvest)
      if (!partial) understand(parser, message, source.name, timestamp, harvest)
      const level = source.pieceLevel ?? levelOf(message, source.name)
      taken.push({ timestamp, level, source: source.name, message, partial })
      source.pieceLevel = partial ? level : null
    }
    letGo(lines)
  }

  function takeNews(source: OutputFile, { bytes }: News, timestamp: Date, harvest: Harvest) {
    take(source, source.splitter.push(bytes, timestamp.getTime()), timestamp, harvest)
    for (const update of source.splitter.takeUpdates()) {
      understand(parser, update, source.name, timestamp, harvest)
    }
    const live = source.splitter.live()
    if (live !== null) Object.assign(harvest.progress, parser.parseLive(live))
  }

  async function store(harvest: Harvest): Promise<void> {
    // Which line of which stream came first is not known; last words are on stderr.
    const lines = harvest.lines.STDOUT.concat(harvest.lines.STDERR)
    await database.transaction(async (tx) => {
      await appendLogLines(database, tx, run.logStreamId, lines)
      await appendMetrics(database, tx, run, harvest.points)
      await storeProgress(tx, run.id, harvest.progress)
      await tx.runOutput.update({
        where: { runId: run.id },
        data: {
          stderrOffset: stderr.splitter.offset,
          stdoutOffset: stdout.splitter.offset,
          parserState: parser.state,
        },
      })
    })
    if (lines.length > 0) signals.notify(runTopics.stream(run.logStreamId))
    letGo(lines)
    letGo(harvest.lines.STDOUT)
    if (harvest.points.length > 0) signals.notify(runTopics.stream(run.metricStreamId))
    if (harvest.points.length > 0 || Object.keys(harvest.progress).length > 0) announceRun(signals, run)
  }

  const settler = createStepSettler()

  function settleSteps({ borrowed }: Harvest) {
    settler.settle(borrowed)
    for (const { step, points } of borrowed) for (const point of points) point.step = step
  }

  async function collect(): Promise<boolean> {
    const errors = await stderr.readNews()
    const output = await stdout.readNews()
    if (!errors && !output) return false
    const harvest = emptyHarvest()
    const outputAt = advanceTo(output?.timestamp ?? 0)
    const errorsAt = advanceTo(errors?.timestamp ?? 0)
    // The bar on stderr tells the step of the records on stdout.
    if (errors) takeNews(stderr, errors, errorsAt, harvest)
    if (output) takeNews(stdout, output, outputAt, harvest)
    settleSteps(harvest)
    await store(harvest)
    return errors?.bytes.length === CHUNK_BYTES || output?.bytes.length === CHUNK_BYTES
  }

  return {
    collect,
    async finish() {
      let more = true
      while (more) more = await collect()
      const harvest = emptyHarvest()
      for (const source of [stderr, stdout]) take(source, source.splitter.end(), lastTimestamp, harvest)
      if (harvest.lines.STDERR.length > 0 || harvest.lines.STDOUT.length > 0) await store(harvest)
    },
    async lastErrorLine() {
      const errors = selectLogLines(run.logStreamId, { source: 'STDERR' })
      const lines = await database.sql.readLogLines(database.prisma, errors, LAST_WORDS_LINES, 'end')
      return lines.findLast((line) => line.message.trim() !== '')?.message.trim() ?? null
    },
    async close() {
      await stderr.close()
      await stdout.close()
    },
  }
}

function emptyHarvest(): Harvest {
  return { lines: { STDOUT: [], STDERR: [] }, points: [], borrowed: [], progress: {} }
}

function understand(
  parser: OutputParser,
  text: string,
  source: OutputSource,
  timestamp: Date,
  harvest: Harvest,
): void {
  const parsed: ParsedOutput | null = parser.parse(text, source)
  if (!parsed) return
  Object.assign(harvest.progress, parsed.progress)
  const points = parsed.metrics
    .filter(({ step }) => step <= MAX_STEP)
    .map(({ key, value, step }) => ({ key: toMetricKey(key), value, step, timestamp }))
  const [first] = points
  if (!first) return
  harvest.points.push(...points)
  if (source === 'STDOUT' && parser.borrowsSteps) {
    harvest.borrowed.push({ keys: points.map((point) => point.key), step: first.step, points })
  }
}

async function storeProgress(tx: Transaction, runId: string, progress: Harvest['progress']): Promise<void> {
  const { step, totalSteps, ...rest } = progress
  const data = {
    ...rest,
    ...(step !== undefined && step <= MAX_STEP && { step }),
    ...(totalSteps !== undefined && totalSteps <= MAX_STEP && { totalSteps }),
  }
  if (Object.keys(data).length === 0) return
  await tx.run.update({ where: { id: runId }, data: { ...data, updatedAt: new Date() } })
}
