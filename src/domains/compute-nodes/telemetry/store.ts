import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import type { TelemetryRow } from '../../../db/statements.ts'
import type { TelemetrySample } from '../../../machine/types.ts'
import { outageOf } from '../../../outage.ts'
import type { Signals } from '../../../streams/signals.ts'
import { nodeTopics } from '../topics.ts'
import type { RollUps } from './roll-ups.ts'
import { summaryOf, type TelemetrySummary, toContent } from './summary.ts'
import { LATEST_MS, type StoredWidth, startOf } from './widths.ts'

/** What the store needs. */
export interface TelemetryStoreDependencies {
  database: Database
  signals: Signals
  log: Logger
  widths: StoredWidth[]
  rollUps: RollUps
  /** Epoch ms. */
  now: () => number
}

/** What a node measured last. */
export interface LatestTelemetry {
  sample: TelemetrySample
  summary: TelemetrySummary
  /** Counts the samples of the node that were the latest, from 1. */
  number: number
  /** Epoch ms. */
  receivedAt: number
}

/** The most samples that wait to be stored: more are not kept, as when the disk is full for long. */
const MAX_PENDING = 20_000
/** A clock may be so much ahead; what claims to come from later is taken for what comes now. */
const AHEAD_MS = 10_000
/** After so long without a newer sample, one that claims to be older counts: the clock was set back. */
const STALE_MS = 30_000
/** Of a node, one sample is stored of so many ms: what reads a minute of them must not take long, whatever it sends. */
const STORED_MS = 1000
/** How many rows are removed in one transaction: other writes wait no longer than that takes. */
const SWEEP_ROWS = 5000

export type TelemetryStore = ReturnType<typeof createTelemetryStore>

/** Keeps what nodes measure: the latest in memory, all of it in the database. */
export function createTelemetryStore(deps: TelemetryStoreDependencies) {
  const { database, signals, log, widths, rollUps, now } = deps
  const { prisma, sql } = database
  const latest = new Map<string, LatestTelemetry>()
  /** The number that the telemetry of each node is stored under. */
  const telemetryIds = new Map<string, number>()
  let pending: { nodeId: string; summary: TelemetrySummary }[] = []
  let flushing: Promise<void> = Promise.resolve()
  let isFailing = false

  function keepLatest(nodeId: string, sample: TelemetrySample, summary: TelemetrySummary) {
    const earlier = latest.get(nodeId)
    const isNews =
      !earlier || sample.timestamp > earlier.sample.timestamp || now() - earlier.receivedAt > STALE_MS
    if (!isNews) return
    latest.set(nodeId, { sample, summary, number: (earlier?.number ?? 0) + 1, receivedAt: now() })
    signals.notify(nodeTopics.telemetry(nodeId), nodeId)
  }

  /** Learns the numbers of nodes that were not heard of before. Those of nodes that are gone stay unknown. */
  async function learnIds(nodeIds: string[]): Promise<void> {
    const unknown = [...new Set(nodeIds)].filter((id) => !telemetryIds.has(id))
    if (unknown.length === 0) return
    const nodes = await prisma.computeNode.findMany({
      where: { id: { in: unknown } },
      select: { id: true, telemetryId: true },
    })
    for (const { id, telemetryId } of nodes) telemetryIds.set(id, telemetryId)
  }

  async function flushPending(): Promise<void> {
    if (pending.length === 0) return
    const batch = pending
    pending = []
    try {
      await learnIds(batch.map(({ nodeId }) => nodeId))
      const rows = batch.flatMap(({ nodeId, summary }) => toRow(telemetryIds.get(nodeId), summary))
      if (rows.length > 0) await database.transaction(() => sql.writeTelemetry(rows, 'stays'))
      rollUps.touch(rows)
      isFailing = false
    } catch (error) {
      pending = [...batch, ...pending].slice(-MAX_PENDING)
      // Of a full disk there is one line elsewhere.
      if (!isFailing && !outageOf(error))
        log.error({ err: error }, 'telemetry could not be stored; trying again')
      isFailing = true
    }
  }

  async function remove(ids: number[], { ms, before }: { ms: number; before: number }): Promise<void> {
    const selection = { telemetryIds: ids, width: ms, before }
    for (;;) {
      const count = await database.transaction((tx) => sql.removeTelemetry(tx, selection, SWEEP_ROWS))
      if (count < SWEEP_ROWS) return
    }
  }

  return {
    /**
     * Takes a sample of a node: the same one twice counts once. It is stored within moments, and told at once if it is
     * the latest.
     */
    record(nodeId: string, taken: TelemetrySample): void {
      const time = taken.timestamp.getTime()
      const sample = time > now() + AHEAD_MS ? { ...taken, timestamp: new Date(now()) } : taken
      const summary = summaryOf(sample)
      keepLatest(nodeId, sample, summary)
      if (time < now() - LATEST_MS) return
      pending.push({ nodeId, summary })
      if (pending.length > MAX_PENDING) pending.shift()
    },

    /** What a node measured last, since this server started. */
    latest: (nodeId: string): LatestTelemetry | null => latest.get(nodeId) ?? null,

    /** Stores what was recorded so far. Never fails: what cannot be stored now is tried again. */
    flush(): Promise<void> {
      flushing = flushing.then(flushPending)
      return flushing
    },

    /** Removes what was kept for long enough, and what is left of nodes that are gone. */
    async sweep(): Promise<void> {
      const stored = await sql.listTelemetryIds(prisma)
      const nodes = await prisma.computeNode.findMany({ select: { id: true, telemetryId: true } })
      const present = new Set(nodes.map(({ telemetryId }) => telemetryId))
      const gone = stored.filter((id) => !present.has(id))
      for (const { ms, keptMs } of widths) {
        await remove(
          stored.filter((id) => present.has(id)),
          { ms, before: now() - keptMs },
        )
        if (gone.length > 0) await remove(gone, { ms, before: Number.MAX_SAFE_INTEGER })
      }
      const ids = new Set(nodes.map(({ id }) => id))
      for (const known of [latest, telemetryIds]) {
        for (const nodeId of known.keys()) if (!ids.has(nodeId)) known.delete(nodeId)
      }
    },
  }
}

function toRow(telemetryId: number | undefined, summary: TelemetrySummary): TelemetryRow[] {
  if (telemetryId === undefined) return []
  const start = startOf(summary.timestamp.getTime(), STORED_MS)
  return [{ telemetryId, width: 1, start, count: 1, content: toContent(summary) }]
}
