import { setImmediate as turn } from 'node:timers/promises'
import type { Database } from '../../../db/database.ts'
import type { TelemetryRow } from '../../../db/statements.ts'
import { fromContent, mergeSummaries, toContent } from './summary.ts'
import { type StoredWidth, startOf } from './widths.ts'

/** What rolling up needs. */
export interface RollUpDependencies {
  database: Database
  widths: StoredWidth[]
  /** Epoch ms. */
  now: () => number
}

/** A span of a node. */
interface Span {
  telemetryId: number
  /** Epoch ms. */
  start: number
}

/** How long after its end a span is rolled up, in ms: by then its last sample is usually there and stored. */
const GRACE_MS = 5000
/** How many spans are rolled up at once: other work waits for the reading of some hundred rows, no longer. */
const CHUNK = 25

export type RollUps = ReturnType<typeof createRollUps>

/**
 * Keeps the spans of each width up to date with those of the width below. A span is always made from all that it is
 * of, and written over what was there: however often that is done, and whatever came late or twice, it is right.
 */
export function createRollUps({ database, widths, now }: RollUpDependencies) {
  const { prisma, sql } = database
  /** Of each width, the spans that are to be made, or made anew. */
  const outdated = new Map(widths.map(({ ms }) => [ms, new Map<string, Span>()]))
  /** Of each width, until when each node is rolled up, in epoch ms. */
  const ends = new Map(widths.map(({ ms }) => [ms, new Map<number, number>()]))
  /** Each width but the finest, with the one below. */
  const steps = widths.slice(1).map((width, index) => ({ ms: width.ms, from: widths[index]?.ms ?? 1 }))

  function mark(width: number, { telemetryId, start }: Span) {
    const span = { telemetryId, start: startOf(start, width) }
    outdated.get(width)?.set(keyOf(span), span)
  }

  function advance(width: number, { telemetryId, start }: Span) {
    const known = ends.get(width)
    known?.set(telemetryId, Math.max(known.get(telemetryId) ?? 0, start + width))
  }

  /** Makes some spans of a width from the rows of the width below. */
  async function make(spans: Span[], width: number, from: number): Promise<void> {
    const rows = await sql.readTelemetry(
      prisma,
      spans.map(({ telemetryId, start }) => ({ telemetryId, width: from, from: start, to: start + width })),
    )
    const bySpan = Map.groupBy(rows, ({ telemetryId, start }) =>
      keyOf({ telemetryId, start: startOf(start, width) }),
    )
    const made = spans.flatMap((span) => {
      const parts = bySpan.get(keyOf(span))
      return parts ? merge(span, width, parts) : []
    })
    if (made.length === 0) return
    await database.transaction(() => sql.writeTelemetry(made, 'is replaced'))
    const next = steps.find((step) => step.from === width)
    for (const span of made) {
      advance(width, span)
      if (next) mark(next.ms, span)
    }
  }

  return {
    /** Notes that samples were stored. */
    touch(samples: Span[]): void {
      const [first] = steps
      if (first) for (const sample of samples) mark(first.ms, sample)
    },

    /** Until when the spans of a width are there, in epoch ms; 0 when there are none. */
    endOf: (telemetryId: number, width: number): number => ends.get(width)?.get(telemetryId) ?? 0,

    /** Finds out what an earlier server rolled up, and what it left. */
    async load(): Promise<void> {
      const telemetryIds = await sql.listTelemetryIds(prisma)
      const last = await sql.lastTelemetry(
        prisma,
        telemetryIds,
        widths.map(({ ms }) => ms),
      )
      for (const row of last) if (row.width > 1) advance(row.width, row)
      for (const { ms, from } of steps) {
        const spans = telemetryIds.map((telemetryId) => {
          const start = ends.get(ms)?.get(telemetryId) ?? 0
          return { telemetryId, width: from, from: start, to: Number.MAX_SAFE_INTEGER }
        })
        for (const span of await sql.findTelemetryRanges(prisma, spans, ms)) mark(ms, span)
      }
    },

    /** Rolls up all spans that are over. */
    async roll(): Promise<void> {
      for (const { ms, from } of steps) {
        const waiting = outdated.get(ms) ?? new Map<string, Span>()
        const due = [...waiting.values()].filter(({ start }) => start + ms + GRACE_MS <= now())
        for (let first = 0; first < due.length; first += CHUNK) {
          const chunk = due.slice(first, first + CHUNK)
          // Before they are read: what comes meanwhile marks them again.
          for (const span of chunk) waiting.delete(keyOf(span))
          try {
            await make(chunk, ms, from)
          } catch (error) {
            for (const span of chunk) mark(ms, span)
            throw error
          }
          await turn()
        }
      }
    },
  }
}

function merge({ telemetryId, start }: Span, width: number, parts: TelemetryRow[]): TelemetryRow {
  const summary = mergeSummaries(parts.map((row) => fromContent(row.start, row.count, row.content)))
  return { telemetryId, width, start, count: summary.sampleCount, content: toContent(summary) }
}

const keyOf = ({ telemetryId, start }: Span) => `${telemetryId} ${start}`
