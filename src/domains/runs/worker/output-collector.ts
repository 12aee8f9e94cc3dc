import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database, Transaction } from '../../../db/database.ts'
import { type LogLevel, levelOf } from '../../../execution/output/level.ts'
import { createLineSplitter, type LineSplitter, type OutputLine } from '../../../execution/output/lines.ts'
import { createOutputParser, type OutputParser, type ParsedOutput } from '../../../execution/output/parse.ts'
import { type BorrowedStep, createStepSettler } from '../../../execution/output/spread.ts'
import type { OutputSource } from '../../../execution/output/text.ts'
import type { Run } from '../../../generated/prisma/client.ts'
import { isErrno } from '../../../storage/errno.ts'
import { appendLogLines, type NewLogLine, selectLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import { runTopics } from '../lifecycle.ts'
import { appendMetrics, MAX_STEP, type MetricPoint, toMetricKey } from '../metric-store.ts'
import { announceRun } from '../reporting.ts'

/** How much of a file is read for one transaction, in bytes. */
const CHUNK_BYTES = 256 * 1024
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

interface Source {
  name: OutputSource
  path: string
  file: FileHandle | null
  splitter: LineSplitter
  /** How far the file was read; behind `splitter.offset` lies what is not a line yet. */
  position: number
  /** The level of the line whose pieces are arriving; null between lines. */
  pieceLevel: LogLevel | null
}

/** What one look at the files brought. */
interface Harvest {
  lines: NewLogLine[]
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
  // The bar on stderr tells the step of the records on stdout.
  const sources = [
    createSource('STDERR', join(processDir, 'stderr.log'), Number(stored.stderrOffset)),
    createSource('STDOUT', join(processDir, 'stdout.log'), Number(stored.stdoutOffset)),
  ]

  async function readSource(source: Source, harvest: Harvest): Promise<boolean> {
    source.file ??= await openIfThere(source.path)
    if (!source.file) return false
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    const { bytesRead } = await source.file.read(buffer, 0, CHUNK_BYTES, source.position)
    if (bytesRead === 0) return false
    // What is read late, after a restart, was not written later than the file says.
    const { mtimeMs } = await source.file.stat()
    source.position += bytesRead
    take(source, source.splitter.push(buffer.subarray(0, bytesRead), Math.min(Date.now(), mtimeMs)), harvest)
    return bytesRead === CHUNK_BYTES
  }

  function take(source: Source, lines: OutputLine[], harvest: Harvest) {
    for (const line of lines) {
      for (const update of line.updates) understand(parser, update, source.name, line.timestamp, harvest)
      if (!line.partial) understand(parser, line.message, source.name, line.timestamp, harvest)
      harvest.lines.push({
        timestamp: new Date(line.timestamp),
        level: source.pieceLevel ?? levelOf(line.message, source.name),
        source: source.name,
        message: line.message,
        partial: line.partial,
      })
      source.pieceLevel = line.partial ? (harvest.lines.at(-1)?.level ?? null) : null
    }
    for (const update of source.splitter.takeUpdates()) {
      understand(parser, update, source.name, Date.now(), harvest)
    }
    const live = source.splitter.live()
    if (live !== null) Object.assign(harvest.progress, parser.parseLive(live))
  }

  async function store(harvest: Harvest): Promise<void> {
    const [stderr, stdout] = sources.map((source) => source.splitter.offset)
    await database.transaction(async (tx) => {
      await appendLogLines(database, tx, run.logStreamId, harvest.lines)
      await appendMetrics(database, tx, run, harvest.points)
      await storeProgress(tx, run.id, harvest.progress)
      await tx.runOutput.update({
        where: { runId: run.id },
        data: { stderrOffset: stderr ?? 0, stdoutOffset: stdout ?? 0, parserState: parser.state },
      })
    })
    if (harvest.lines.length > 0) signals.notify(runTopics.stream(run.logStreamId))
    if (harvest.points.length > 0) signals.notify(runTopics.stream(run.metricStreamId))
    if (harvest.points.length > 0 || Object.keys(harvest.progress).length > 0) announceRun(signals, run)
  }

  const settler = createStepSettler()
  let lastTimestamp = new Date(0)

  function settleSteps({ borrowed }: Harvest) {
    settler.settle(borrowed)
    for (const { step, points } of borrowed) for (const point of points) point.step = step
  }

  /** Which line of which stream came first is not known; last words are on stderr. Time does not run back. */
  function orderLines({ lines }: Harvest) {
    lines.sort((a, b) => Number(a.source === 'STDERR') - Number(b.source === 'STDERR'))
    for (const line of lines) {
      if (line.timestamp < lastTimestamp) line.timestamp = lastTimestamp
      lastTimestamp = line.timestamp
    }
  }

  async function collect(): Promise<boolean> {
    const harvest = emptyHarvest()
    const before = sources.map((source) => source.position)
    let more = false
    for (const source of sources) more = (await readSource(source, harvest)) || more
    settleSteps(harvest)
    orderLines(harvest)
    if (sources.some((source, index) => source.position !== before[index])) await store(harvest)
    return more
  }

  return {
    collect,
    async finish() {
      let more = true
      while (more) more = await collect()
      const harvest = emptyHarvest()
      for (const source of sources) take(source, source.splitter.end(), harvest)
      if (harvest.lines.length > 0) await store(harvest)
    },
    async lastErrorLine() {
      const stderr = selectLogLines(run.logStreamId, { source: 'STDERR' })
      const lines = await database.sql.readLogLines(database.prisma, stderr, LAST_WORDS_LINES, 'end')
      return lines.findLast((line) => line.message.trim() !== '')?.message.trim() ?? null
    },
    async close() {
      for (const source of sources) await source.file?.close()
    },
  }
}

function createSource(name: OutputSource, path: string, offset: number): Source {
  return { name, path, file: null, splitter: createLineSplitter(offset), position: offset, pieceLevel: null }
}

function emptyHarvest(): Harvest {
  return { lines: [], points: [], borrowed: [], progress: {} }
}

function understand(
  parser: OutputParser,
  text: string,
  source: OutputSource,
  timestamp: number,
  harvest: Harvest,
): void {
  const parsed: ParsedOutput | null = parser.parse(text, source)
  if (!parsed) return
  Object.assign(harvest.progress, parsed.progress)
  const points = parsed.metrics
    .filter(({ step }) => step <= MAX_STEP)
    .map(({ key, value, step }) => ({ key: toMetricKey(key), value, step, timestamp: new Date(timestamp) }))
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

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}
