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

/** A report in the form that is stored. */
export function storedReport(report: ExecutionReport): JsonObject {
  return storedObject(JSON.parse(JSON.stringify(report)))
}

/** For inputs that carry one. */
export { ReportSchema }
