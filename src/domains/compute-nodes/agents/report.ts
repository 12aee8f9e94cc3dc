import { z } from 'zod'
import type { ExecutionReport } from '../../../execution/executor.ts'
import { type JsonObject, storedObject } from '../../input.ts'

const time = z.coerce.date()
const reason = z.string().max(100_000)
const termination = z.object({ requestedAt: time }).nullable()
const cleanup = z.object({ killed: z.boolean(), unfinishedFiles: z.array(z.string()) })

/** What agents may tell of an execution. */
const ReportSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('starting') }),
  z.object({ state: z.literal('running'), pid: z.number().int(), startedAt: time, supervised: z.boolean() }),
  z.object({
    state: z.literal('exited'),
    exitCode: z.number().int().nullable(),
    signal: z.string().max(20).nullable(),
    startedAt: time,
    endedAt: time,
    termination,
    cleanup,
  }),
  z.object({ state: z.literal('withdrawn'), termination: termination.unwrap(), endedAt: time }),
  z.object({ state: z.literal('failed'), reason, endedAt: time }),
  z.object({ state: z.literal('lost'), reason, termination, cleanup }),
])

/** A report as it was stored. @throws when it is none */
export function parseReport(value: unknown): ExecutionReport {
  return ReportSchema.parse(value)
}

/**
 * A report with its times as they can be: not before the command was given, and not later than now. Clocks of other
 * machines may be years away.
 */
export function withinTimes(report: ExecutionReport, given: Date, now: Date): ExecutionReport {
  const possible = (at: Date, from = given) => (at < from ? from : at > now ? now : at)
  const end = (termination: { requestedAt: Date }) => ({ requestedAt: possible(termination.requestedAt) })
  switch (report.state) {
    case 'running':
      return { ...report, startedAt: possible(report.startedAt) }
    case 'exited': {
      const startedAt = possible(report.startedAt)
      const termination = report.termination && end(report.termination)
      return { ...report, startedAt, endedAt: possible(report.endedAt, startedAt), termination }
    }
    case 'withdrawn':
      return { ...report, termination: end(report.termination), endedAt: possible(report.endedAt) }
    case 'failed':
      return { ...report, endedAt: possible(report.endedAt) }
    case 'lost':
      return { ...report, termination: report.termination && end(report.termination) }
    default:
      return report
  }
}

/** A report in the form that is stored. */
export function storedReport(report: ExecutionReport): JsonObject {
  return storedObject(JSON.parse(JSON.stringify(report)))
}

/** For inputs that carry one. */
export { ReportSchema }
