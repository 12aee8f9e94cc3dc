import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import type { Sampler } from '../../../machine/sampler.ts'
import type { TelemetrySample } from '../../../machine/types.ts'
import { outageOf } from '../../../outage.ts'
import type { Signals } from '../../../streams/signals.ts'
import { createTelemetryHistory } from './history.ts'
import { createOwnTelemetry } from './own-machine.ts'
import { createRollUps } from './roll-ups.ts'
import { createRunUtilization } from './run-utilization.ts'
import { createTelemetryService, type TelemetryService } from './service.ts'
import { createTelemetryStore } from './store.ts'
import { createWatched } from './watched.ts'
import { storedWidths } from './widths.ts'

/** What telemetry needs of the rest of the server. */
export interface TelemetryDependencies {
  database: Database
  signals: Signals
  log: Logger
  /** Samples the server's own machine. */
  sampler: Sampler
  /** Is told of every sample. */
  observe(nodeId: string, sample: TelemetrySample): void
  /** How many days the coarsest telemetry is kept. */
  telemetryDays: number
}

/** How often what was recorded is stored, in ms. */
const FLUSH_MS = 1000
/** How often spans that are over are rolled up, in ms. */
const ROLL_MS = 5000
/** How often what was kept for long enough is removed, in ms. */
const SWEEP_MS = 600_000

/** What nodes measure of themselves. */
export interface Telemetry {
  /** What resolvers call. */
  service: TelemetryService
  /** Takes a sample of a node: the same one twice counts once. */
  record(nodeId: string, sample: TelemetrySample): void
  /** What a node measured last, since this server started. */
  latest(nodeId: string): TelemetrySample | null
  /** How often a node is to sample itself now, in seconds; nodeTopics.orders tells when that changes. */
  secondsOf(nodeId: string): number
  /** Takes up what an earlier server left, and begins to work. */
  start(): Promise<void>
  /** Stores what was recorded. */
  stop(): Promise<void>
}

/** Puts the parts of telemetry together. */
export function createTelemetry(deps: TelemetryDependencies): Telemetry {
  const { log, telemetryDays } = deps
  const shared = { ...deps, widths: storedWidths(telemetryDays), now: Date.now }
  const rollUps = createRollUps(shared)
  const store = createTelemetryStore({ ...shared, rollUps })
  const watched = createWatched(deps)
  const history = createTelemetryHistory({ ...shared, rollUps })
  const runs = createRunUtilization({ ...shared, latest: store.latest })
  const own = createOwnTelemetry({ ...deps, secondsOf: watched.secondsOf, record })
  const timers: NodeJS.Timeout[] = []
  let working: Promise<void> = Promise.resolve()

  function record(nodeId: string, sample: TelemetrySample): void {
    store.record(nodeId, sample)
    runs.note(nodeId, sample)
    deps.observe(nodeId, sample)
  }

  /** Does something now and then again and again, one after the other; a failure is no reason to stop. */
  function every(ms: number, what: string, work: () => Promise<void>) {
    let isWaiting = false
    const perform = () => {
      if (isWaiting) return
      isWaiting = true
      working = working
        .then(() => {
          isWaiting = false
          return work()
        })
        .catch((error: unknown) => {
          if (!outageOf(error)) log.error({ err: error }, `${what} failed; trying again`)
        })
    }
    perform()
    timers.push(setInterval(perform, ms).unref())
  }

  return {
    service: createTelemetryService({ ...deps, store, history, watched }),
    record,
    latest: (nodeId) => store.latest(nodeId)?.sample ?? null,
    secondsOf: watched.secondsOf,

    async start() {
      await rollUps.load()
      own.start()
      every(FLUSH_MS, 'storing telemetry', async () => {
        await store.flush()
        await runs.update()
      })
      every(ROLL_MS, 'rolling telemetry up', rollUps.roll)
      every(SWEEP_MS, 'removing old telemetry', async () => {
        // What is removed must have gone into the coarser spans, also after a time in which no server ran.
        await rollUps.roll()
        await store.sweep()
      })
    },

    async stop() {
      own.stop()
      for (const timer of timers) clearInterval(timer)
      await working
      await store.flush()
    },
  }
}
