import { z } from 'zod'
import type { TelemetrySample } from '../../../machine/types.ts'
import { HardwareInput } from '../inputs.ts'
import { ReportSchema } from './report.ts'

/** The largest piece of output in one call, in bytes. */
export const MAX_PIECE_BYTES = 512 * 1024

const bytesCount = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const Piece = z.object({
  offset: bytesCount,
  bytes: z
    .string()
    .max(Math.ceil(MAX_PIECE_BYTES / 3) * 4, `Must be at most ${MAX_PIECE_BYTES} bytes.`)
    .transform((text, context) => {
      const bytes = Buffer.from(text, 'base64')
      if (bytes.toString('base64') === text) return bytes
      context.addIssue({ code: 'custom', message: 'Must be base64.' })
      return z.NEVER
    }),
  writtenAt: z.date(),
})

/** How an execution goes. */
export const ReportExecutionInput = z.object({
  executionId: z.string(),
  report: ReportSchema.nullish(),
  stdout: Piece.nullish(),
  stderr: Piece.nullish(),
})

/** A piece of a file. */
export const UploadInput = z.object({
  executionId: z.string(),
  offset: bytesCount,
  sizeBytes: bytesCount,
  sha256: z.string(),
})

/** Something that a command left. */
export const ResultInput = z.object({
  executionId: z.string(),
  name: z.string().min(1).max(4096),
  isFolder: z.boolean(),
  files: z
    .array(z.object({ path: z.string().max(4096), sizeBytes: bytesCount, sha256: z.string() }))
    .max(10_000, 'Must be at most 10,000 files.'),
})

/** What a command has deleted. */
export const RemoveInput = z.object({
  executionId: z.string(),
  names: z.array(z.string().min(1)).max(10_000),
})

const percent = z.number().min(0).max(100)
/** More than any machine has of anything; what is added up and rounded must stay a number. */
const amount = z.coerce.number().min(0).max(Number.MAX_SAFE_INTEGER)
/** Nothing is colder than the first, and no chip as hot as the second, in °C. */
const temperature = z.number().min(-273.15).max(10_000)

const SampleSchema: z.ZodType<TelemetrySample> = z.object({
  timestamp: z.date(),
  cpuUsage: percent,
  memoryUsage: percent,
  memoryTotalBytes: amount,
  diskUsage: percent.nullish().transform((value) => value ?? null),
  networkRxBytesPerSecond: amount.nullish().transform((value) => value ?? null),
  networkTxBytesPerSecond: amount.nullish().transform((value) => value ?? null),
  gpus: z
    .array(
      z.object({
        index: z.number().int().min(0),
        name: z.string().max(200),
        utilization: percent.nullish().transform((value) => value ?? null),
        memoryUsedBytes: amount.nullish().transform((value) => value ?? null),
        memoryTotalBytes: amount.nullish().transform((value) => value ?? null),
        temperatureCelsius: temperature.nullish().transform((value) => value ?? null),
        powerWatts: amount.nullish().transform((value) => value ?? null),
      }),
    )
    .max(64),
})

/** A word of an agent. */
export const HeartbeatInput = z.object({
  sample: SampleSchema.nullish(),
  hardware: HardwareInput.nullish(),
})
