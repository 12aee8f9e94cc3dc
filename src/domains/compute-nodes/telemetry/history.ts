import { setImmediate as turn } from 'node:timers/promises'
import type { Database } from '../../../db/database.ts'
import type { TelemetryRow, TelemetrySpan } from '../../../db/statements.ts'
import { ValidationError } from '../../../errors.ts'
import type { RollUps } from './roll-ups.ts'
import { fromContent, mergeSummaries, type TelemetrySummary } from './summary.ts'
import { type StoredWidth, startOf } from './widths.ts'

/** What reading needs. */
export interface HistoryDependencies {
  database: Database
  widths: StoredWidth[]
  rollUps: RollUps
  /** Epoch ms. */
  now: () => number
}

/** Which part of what was measured, for a chart. */
export interface HistoryRequest {
  /** @default an hour before `until` */
  since?: Date | null
  /** @default now */
  until?: Date | null
  maxPoints: number
}

/** A part of the time, cut into pieces of equal length. All in epoch ms, or ms. */
interface Frame {
  since: number
  until: number
  /** The width that is read, where it was kept for so long, as a position in the list of widths. */
  target: number
  /** The pieces are so long, and the first begins here. */
  pieceMs: number
  origin: number
}

/** The most points that one request gets. */
export const MAX_TELEMETRY_POINTS = 2000
const HOUR_MS = 3_600_000
/** The most rows that are read for one request. */
const MAX_ROWS = 100_000
/** About how many rows are read at once: everything else waits meanwhile. */
const ROWS_AT_ONCE = 500
/** How often a node samples at most, in ms. */
const FASTEST_PACE_MS = 2000

export type TelemetryHistory = ReturnType<typeof createTelemetryHistory>

/** Reads what nodes measured. */
export function createTelemetryHistory({ database, widths, rollUps, now }: HistoryDependencies) {
  const { prisma, sql } = database

  /**
   * The pieces that the time is cut into, and the width that is read for them: the coarsest that is no longer than a
   * piece, so that few rows are read; a coarser one where there would still be too many.
   *
   * @throws ValidationError
   */
  function frameOf(request: HistoryRequest, nodeCount: number, finest: number): Frame {
    const { maxPoints } = request
    if (maxPoints < 1 || maxPoints > MAX_TELEMETRY_POINTS) {
      throw ValidationError.at('maxPoints', `Must be from 1 to ${MAX_TELEMETRY_POINTS}.`)
    }
    const until = request.until?.getTime() ?? now() + 1
    const asked = request.since?.getTime() ?? until - HOUR_MS
    if (asked >= until) throw ValidationError.at('since', 'Must be before until.')
    const oldest = now() - Math.max(...widths.map(({ keptMs }) => keptMs))
    const since = Math.min(Math.max(asked, oldest), until - 1)
    const span = until - since
    const rowsOf = ({ ms }: StoredWidth) => (nodeCount * span) / Math.max(ms, FASTEST_PACE_MS)
    const fitting = widths.findLastIndex(({ ms }) => ms <= span / maxPoints)
    const target = widths.findIndex(
      (width, at) => at >= Math.max(fitting, finest) && rowsOf(width) <= MAX_ROWS,
    )
    const { ms } = widths[target] ?? {}
    if (ms === undefined) {
      const message = `There may be more than ${MAX_ROWS} values of ${nodeCount} nodes in so long a time: ask for less of it, or fewer nodes.`
      throw ValidationError.at('since', message)
    }
    const origin = startOf(since, ms)
    const pieceMs = Math.ceil(Math.ceil((until - origin) / ms) / maxPoints) * ms
    return { since, until, target, pieceMs, origin }
  }

  /** The rows that tell of a node in that time: each moment is in one of them. */
  function spansOf(telemetryId: number, { since, until, target }: Frame): TelemetrySpan[] {
    const spans: TelemetrySpan[] = []
    let from = since
    const take = (width: number, to: number) => {
      const start = startOf(from, width)
      if (to <= start) return
      spans.push({ telemetryId, width, from: start, to })
      from = Math.max(from, to)
    }
    // What is not kept in the finer widths any more is in the coarser ones.
    for (let at = widths.length - 1; at > target; at--) {
      const [width, finer] = [widths[at], widths[at - 1]]
      if (!width || !finer) continue
      const keptFrom = now() - finer.keptMs
      if (from >= keptFrom) continue
      const end = startOf(keptFrom, width.ms) + width.ms
      take(width.ms, Math.min(end, startAfter(until, width.ms), rollUps.endOf(telemetryId, width.ms)))
    }
    // What is not in the wanted width yet is in the finer ones.
    for (let at = target; at >= 0; at--) {
      const { ms } = widths[at] ?? { ms: 1 }
      take(ms, at === 0 ? until : Math.min(startAfter(until, ms), rollUps.endOf(telemetryId, ms)))
    }
    return spans.filter((span) => span.from < until)
  }

  /** Rows that lie in some spans, a few hundred at a time. */
  async function* read(spans: TelemetrySpan[]): AsyncGenerator<TelemetryRow[]> {
    let chunk: TelemetrySpan[] = []
    let rows = 0
    for (const span of spans) {
      chunk.push(span)
      rows += (span.to - span.from) / Math.max(span.width, FASTEST_PACE_MS)
      if (rows < ROWS_AT_ONCE) continue
      yield await sql.readTelemetry(prisma, chunk)
      await turn()
      chunk = []
      rows = 0
    }
    if (chunk.length > 0) yield await sql.readTelemetry(prisma, chunk)
  }

  return {
    /**
     * What nodes measured, each in at most `maxPoints` pieces, by time; pieces of which nothing is known are left out.
     *
     * @param finest the finest width that may be read, as a position in the list of widths
     * @throws ValidationError
     */
    async read(
      telemetryIds: number[],
      request: HistoryRequest,
      finest = 0,
    ): Promise<Map<number, Map<number, TelemetrySummary>>> {
      const frame = frameOf(request, telemetryIds.length, finest)
      const pieces = new Map<number, Map<number, TelemetrySummary[]>>()
      for await (const rows of read(telemetryIds.flatMap((id) => spansOf(id, frame)))) {
        for (const { telemetryId, start, count, content } of rows) {
          const ofNode = pieces.get(telemetryId) ?? new Map<number, TelemetrySummary[]>()
          pieces.set(telemetryId, ofNode)
          const piece = Math.max(0, Math.floor((start - frame.origin) / frame.pieceMs))
          const summaries = ofNode.get(piece) ?? []
          ofNode.set(piece, summaries)
          summaries.push(fromContent(start, count, content))
        }
      }
      return new Map(
        [...pieces].map(([telemetryId, ofNode]) => [
          telemetryId,
          new Map([...ofNode].map(([piece, summaries]) => [piece, mergeSummaries(summaries)])),
        ]),
      )
    },
  }
}

/** The start of the first span of a width that begins at a time or after it. */
const startAfter = (time: number, width: number) => Math.ceil(time / width) * width
