import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type Database, openDatabase } from '../../../../src/db/database.ts'
import {
  createTelemetryHistory,
  type HistoryRequest,
} from '../../../../src/domains/compute-nodes/telemetry/history.ts'
import { createRollUps } from '../../../../src/domains/compute-nodes/telemetry/roll-ups.ts'
import { createTelemetryStore } from '../../../../src/domains/compute-nodes/telemetry/store.ts'
import { spreadOf } from '../../../../src/domains/compute-nodes/telemetry/summary.ts'
import { storedWidths } from '../../../../src/domains/compute-nodes/telemetry/widths.ts'
import type { GpuSample, TelemetrySample } from '../../../../src/machine/types.ts'
import { createSignals } from '../../../../src/streams/signals.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A day that begins a span of every width. */
export const START = Date.UTC(2026, 0, 5)

/** A sample of a machine that does little; times in epoch ms. */
export function sampleAt(time: number, values: Partial<TelemetrySample> = {}): TelemetrySample {
  return {
    timestamp: new Date(time),
    cpuUsage: 10,
    memoryUsage: 50,
    memoryTotalBytes: 1000,
    diskUsage: 20,
    networkRxBytesPerSecond: 0,
    networkTxBytesPerSecond: 0,
    gpus: [],
    ...values,
  }
}

/** A GPU that does nothing. */
export function gpuSample(values: Partial<GpuSample> = {}): GpuSample {
  return {
    index: 0,
    name: 'NVIDIA L4',
    utilization: 0,
    memoryUsedBytes: 0,
    memoryTotalBytes: 24_000,
    temperatureCelsius: 40,
    powerWatts: 20,
    ...values,
  }
}

/** Adds nodes to a database, stored under the numbers given. */
export async function addNodes(database: Database, telemetryIds: number[]): Promise<void> {
  const now = new Date()
  await database.transaction((tx) =>
    tx.computeNode.createMany({
      data: telemetryIds.map((telemetryId) => ({
        id: `node_${telemetryId}`,
        name: `node ${telemetryId}`,
        type: 'SERVER',
        hardware: {},
        createdAt: now,
        updatedAt: now,
        telemetryId,
      })),
    }),
  )
}

/** Telemetry on a database of its own, at a time that the test sets, with the nodes node_1 and node_2. */
export async function givenTelemetry() {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-telemetry-'))
  const database = await openDatabase(join(folder, 'trainyard.db'))
  await addNodes(database, [1, 2])
  const clock = { now: START }
  const signals = createSignals()
  const start = () => {
    const shared = {
      database,
      signals,
      log: pino({ level: 'silent' }),
      widths: storedWidths(365),
      now: () => clock.now,
    }
    const rollUps = createRollUps(shared)
    const store = createTelemetryStore({ ...shared, rollUps })
    return { rollUps, store, history: createTelemetryHistory({ ...shared, rollUps }) }
  }
  let parts = start()

  return {
    database,
    signals,
    clock,
    get store() {
      return parts.store
    },
    get rollUps() {
      return parts.rollUps
    },

    /** Records samples of a node from one time to another, and lets the server do its work meanwhile. */
    async measure(
      nodeId: string,
      { from, to, every }: { from: number; to: number; every: number },
      valuesAt: (time: number) => Partial<TelemetrySample> = () => ({}),
    ): Promise<TelemetrySample[]> {
      const samples: TelemetrySample[] = []
      for (let time = from; time < to; time += every) {
        const sample = sampleAt(time, valuesAt(time))
        samples.push(sample)
        clock.now = time
        parts.store.record(nodeId, sample)
        if (samples.length % 100 === 0) {
          await parts.store.flush()
          await parts.rollUps.roll()
        }
      }
      clock.now = to
      await parts.store.flush()
      await parts.rollUps.roll()
      return samples
    },

    /** What a chart shows of node_1. */
    async chart(request: Partial<HistoryRequest> & { since: Date }) {
      const found = await parts.history.read([1], { until: new Date(clock.now), maxPoints: 300, ...request })
      const pieces = [...(found.get(1) ?? [])].sort(([one], [other]) => one - other)
      return pieces.map(([, summary]) => ({
        at: summary.timestamp.getTime(),
        count: summary.sampleCount,
        cpu: spreadOf(summary, 'cpuUsage'),
      }))
    },

    /** How many rows there are of a width. */
    rows: (width: number) => database.prisma.telemetryBucket.count({ where: { width } }),

    /** As if the server had been killed, and another one started. */
    async restart() {
      parts = start()
      await parts.rollUps.load()
      await parts.rollUps.roll()
    },

    async end() {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
