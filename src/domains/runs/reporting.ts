import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'
import type { Prisma, Run } from '../../generated/prisma/client.ts'
import { appendLogLines, LOG_LEVELS, LOG_SOURCES } from '../../streams/log-lines.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireReporter } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { requireRun } from './access.ts'
import { runTopics } from './lifecycle.ts'
import {
  appendMetrics,
  MAX_STEP,
  type MetricPoint,
  MIN_STEP,
  NON_FINITE,
  type NonFinite,
} from './metric-store.ts'
import { isFinal } from './status.ts'

/** The most points that one call may carry. */
export const MAX_POINTS = 10_000
/** The most log lines that one call may carry. */
export const MAX_LINES = 10_000

type RunQuery = { include?: Prisma.RunInclude; select?: Prisma.RunSelect }

export type ReportingService = ReturnType<typeof createReportingService>

/** What a run's script, or a person, reports to a run beyond what is read from its output. */
export function createReportingService(deps: { database: Database; signals: Signals; now?: () => Date }) {
  const { database, signals, now = () => new Date() } = deps

  return {
    /** Stores metric points. The same point twice is stored once. @throws NotFoundError, ForbiddenError, ValidationError, ConflictError */
    async logMetrics(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const { runId, series } = parseInput(LogMetricsInput, input)
      requireReporter(principal, runId, 'RUN')
      const receivedAt = now()
      const points = series.flatMap((columns) => toPoints(columns, receivedAt))
      const last = points.reduce((last, { step }) => Math.max(last, step), MIN_STEP)
      const { run, added } = await database.transaction(async (tx) => {
        const run = await findOpenRun(tx, principal, runId)
        const added = await appendMetrics(database, tx, run, points)
        const step = run.step === null ? last : Math.max(run.step, last)
        if (added > 0) await tx.run.update({ where: { id: runId }, data: { step, updatedAt: receivedAt } })
        return { run, added }
      })
      if (added > 0) {
        signals.notify(runTopics.stream(run.metricStreamId))
        announceRun(signals, run)
      }
      return database.prisma.run.findUniqueOrThrow({ ...query, where: { id: run.id } })
    },

    /** Appends lines to a run's log, after what is there. @throws NotFoundError, ForbiddenError, ValidationError, ConflictError */
    async appendLogs(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const { runId, lines } = parseInput(AppendRunLogsInput, input)
      requireReporter(principal, runId, 'RUN')
      const receivedAt = now()
      const newLines = lines.map((line) => ({
        timestamp: line.timestamp ?? receivedAt,
        level: line.level ?? 'INFO',
        source: line.source ?? 'STDOUT',
        message: line.message.toWellFormed().replaceAll('\0', '\ufffd'),
      }))
      const run = await database.transaction(async (tx) => {
        const found = await findOpenRun(tx, principal, runId)
        await appendLogLines(database, tx, found.logStreamId, newLines)
        return found
      })
      signals.notify(runTopics.stream(run.logStreamId))
      return database.prisma.run.findUniqueOrThrow({ ...query, where: { id: run.id } })
    },
  }
}

/** Asked in the transaction that stores the report, so that nothing follows once a run is over. */
async function findOpenRun(tx: Transaction, principal: Principal, runId: string): Promise<Run> {
  const run = await requireRun(tx, principal, runId, 'EDITOR')
  if (isFinal(run.status))
    throw new ConflictError(`Run ${run.name} is over (${run.status}): it takes no more reports.`)
  return run
}

/** Tells everyone who watches a run that its row changed. */
export function announceRun(signals: Signals, run: { id: string; projectId: string }): void {
  signals.notify(runTopics.changed(run.id))
  signals.notify(runTopics.inProject(run.projectId), run.id)
  signals.notify(runTopics.any, run.id)
}

const MetricKey = z
  .string()
  .min(1, 'Must not be empty.')
  .max(250, 'Must have at most 250 characters.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'Must not contain control characters.')
  .refine((key) => key.isWellFormed(), 'Must be well-formed text.')

/** Checked as a whole: a schema for each of 10,000 numbers takes longer than all else that is done with them. */
const column = <Item>(isItem: (item: unknown) => item is Item, message: string) =>
  z.custom<Item[]>((items) => Array.isArray(items) && items.every(isItem), message)

const MetricColumns = z
  .object({
    key: MetricKey,
    steps: column(isStep, `Must be whole numbers from ${MIN_STEP} to ${MAX_STEP}.`).refine(
      (steps) => steps.length > 0,
      'Must have at least one step.',
    ),
    values: column((value) => typeof value === 'number', 'Must be numbers.'),
    nonFinite: column(isNonFinite, `Must be null or one of ${NON_FINITE.join(', ')}.`).nullish(),
    timestamps: column(isTime, 'Must be times.').nullish(),
  })
  .superRefine((columns, context) => {
    for (const name of ['values', 'nonFinite', 'timestamps'] as const) {
      if ((columns[name]?.length ?? columns.steps.length) === columns.steps.length) continue
      context.addIssue({ code: 'custom', path: [name], message: 'Must be as many as steps.' })
    }
  })

const LogMetricsInput = z.object({
  runId: z.string(),
  series: z
    .array(MetricColumns)
    .min(1, 'Must have at least one series.')
    .refine(
      (series) => series.reduce((sum, { steps }) => sum + steps.length, 0) <= MAX_POINTS,
      `Must have at most ${MAX_POINTS} points in one call.`,
    ),
})

function toPoints(columns: z.output<typeof MetricColumns>, receivedAt: Date): MetricPoint[] {
  const { key, steps, values, nonFinite, timestamps } = columns
  return steps.map((step, index): MetricPoint => {
    const name = nonFinite?.[index]
    const value = name ? NUMBER_OF[name] : (values[index] ?? Number.NaN)
    return { key, step, value, timestamp: timestamps?.[index] ?? receivedAt }
  })
}

const NUMBER_OF: Record<NonFinite, number> = {
  NAN: Number.NaN,
  INFINITY: Number.POSITIVE_INFINITY,
  NEGATIVE_INFINITY: Number.NEGATIVE_INFINITY,
}

function isStep(item: unknown): item is number {
  return Number.isInteger(item) && Number(item) >= MIN_STEP && Number(item) <= MAX_STEP
}

function isNonFinite(item: unknown): item is NonFinite | null {
  return NON_FINITE.some((name) => name === item)
}

function isTime(item: unknown): item is Date {
  return item instanceof Date && !Number.isNaN(item.getTime())
}

/** What a run and its people may say; only Trainyard speaks for itself. */
const REPORTED_SOURCES = LOG_SOURCES.filter((source) => source !== 'SYSTEM')

const AppendRunLogsInput = z.object({
  runId: z.string(),
  lines: z
    .array(
      z.object({
        message: z.string().max(65_536, 'Must have at most 65,536 characters.'),
        level: z.enum(LOG_LEVELS).nullish(),
        source: z
          .enum(REPORTED_SOURCES, 'Must be STDOUT or STDERR: SYSTEM is what Trainyard itself says.')
          .nullish(),
        timestamp: z.date().nullish(),
      }),
    )
    .min(1, 'Must have at least one line.')
    .max(MAX_LINES, `Must have at most ${MAX_LINES} lines in one call.`),
})
