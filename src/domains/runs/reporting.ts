import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, NotFoundError } from '../../errors.ts'
import type { Prisma, Run } from '../../generated/prisma/client.ts'
import { appendLogLines, LOG_LEVELS, LOG_SOURCES } from '../../streams/log-lines.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireReporter } from '../accounts/principal.ts'
import { parseInput } from '../input.ts'
import { runTopics } from './lifecycle.ts'
import { appendMetrics, MAX_STEP, type MetricPoint, MIN_STEP } from './metric-store.ts'
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
    /** Stores metric points. The same point twice is stored once. @throws NotFoundError, ValidationError, ConflictError */
    async logMetrics(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const { runId, series } = parseInput(LogMetricsInput, input)
      requireReporter(principal, runId)
      const receivedAt = now()
      const points = series.flatMap(({ key, steps, values, timestamps }) =>
        steps.map((step, index): MetricPoint => {
          return {
            key,
            step,
            value: values[index] ?? Number.NaN,
            timestamp: timestamps?.[index] ?? receivedAt,
          }
        }),
      )
      const last = Math.max(...points.map((point) => point.step))
      const run = await database.transaction(async (tx) => {
        const found = await findOpenRun(tx, runId)
        await appendMetrics(database, tx, found, points)
        await tx.run.updateMany({
          where: { id: runId, OR: [{ step: null }, { step: { lt: last } }] },
          data: { step: last },
        })
        await tx.run.update({ where: { id: runId }, data: { updatedAt: receivedAt } })
        return found
      })
      signals.notify(runTopics.stream(run.metricStreamId))
      announceRun(signals, run)
      return database.prisma.run.findUniqueOrThrow({ ...query, where: { id: run.id } })
    },

    /** Appends lines to a run's log, after what is there. @throws NotFoundError, ValidationError, ConflictError */
    async appendLogs(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const { runId, lines } = parseInput(AppendRunLogsInput, input)
      requireReporter(principal, runId)
      const receivedAt = now()
      const newLines = lines.map((line) => ({
        timestamp: line.timestamp ?? receivedAt,
        level: line.level ?? 'INFO',
        source: line.source ?? 'STDOUT',
        message: line.message.toWellFormed().replaceAll('\0', '\ufffd'),
      }))
      const run = await database.transaction(async (tx) => {
        const found = await findOpenRun(tx, runId)
        await appendLogLines(database, tx, found.logStreamId, newLines)
        return found
      })
      signals.notify(runTopics.stream(run.logStreamId))
      return database.prisma.run.findUniqueOrThrow({ ...query, where: { id: run.id } })
    },
  }
}

/** Asked in the transaction that stores the report, so that nothing follows once a run is over. */
async function findOpenRun(tx: Transaction, runId: string): Promise<Run> {
  const run = await tx.run.findUnique({ where: { id: runId } })
  if (!run) throw new NotFoundError('run', runId)
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

const LogMetricsInput = z.object({
  runId: z.string(),
  series: z
    .array(
      z
        .object({
          key: MetricKey,
          steps: z.array(z.int().min(MIN_STEP).max(MAX_STEP)).min(1, 'Must have at least one step.'),
          values: z.array(
            z
              .number()
              .or(z.nan())
              .or(z.literal([Infinity, -Infinity])),
          ),
          timestamps: z.array(z.date()).nullish(),
        })
        .refine(({ steps, values }) => steps.length === values.length, {
          path: ['values'],
          message: 'Must be as many as steps.',
        })
        .refine(({ steps, timestamps }) => !timestamps || timestamps.length === steps.length, {
          path: ['timestamps'],
          message: 'Must be as many as steps.',
        }),
    )
    .min(1, 'Must have at least one series.')
    .refine(
      (series) => series.reduce((sum, { steps }) => sum + steps.length, 0) <= MAX_POINTS,
      `Must have at most ${MAX_POINTS} points in one call.`,
    ),
})

const AppendRunLogsInput = z.object({
  runId: z.string(),
  lines: z
    .array(
      z.object({
        message: z.string().max(65_536, 'Must have at most 65,536 characters.'),
        level: z.enum(LOG_LEVELS).nullish(),
        source: z.enum(LOG_SOURCES).nullish(),
        timestamp: z.date().nullish(),
      }),
    )
    .min(1, 'Must have at least one line.')
    .max(MAX_LINES, `Must have at most ${MAX_LINES} lines in one call.`),
})
