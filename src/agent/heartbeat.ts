import type { Logger } from 'pino'
import { createPauses } from '../client/pauses.ts'
import type { OrdersFragment, TelemetrySampleInput } from '../generated/operations.ts'
import type { Hardware, TelemetrySample } from '../machine/types.ts'
import type { Connection } from './connection.ts'
import { isAboutRights, UnreachableError } from './errors.ts'

/** What being heard of needs. */
export interface HeartbeatDependencies {
  connection: Pick<Connection, 'heartbeat'>
  /** Tells how the machine does. */
  sampler: { sample(): Promise<TelemetrySample> }
  readHardware: () => Promise<Hardware>
  log: Logger
  /** Is given what there is to do, and when that was asked for, by performance.now(). */
  onOrders(orders: OrdersFragment, askedAt: number): void
}

/** How often the server hears of a node, in seconds. */
export interface Paces {
  leaseSeconds: number
  telemetrySeconds: number
}

/** Keeps the lease of a node, and brings telemetry. */
export interface Heartbeat {
  /** Until the signal is aborted. @throws RefusedError when the server does not take the agent for its own any more */
  run(signal: AbortSignal): Promise<void>
  /** The server has told how often it wants to hear. */
  setPaces(paces: Paces): void
}

/** The longest silence while all is well, in ms; a lease is some 30 s. */
const LONGEST_MS = 5000
/** How often a lease may be kept before it runs out. */
const WORDS_PER_LEASE = 4
/** How long an answer may take, in ms, at least and at most: there must be time for another word. */
const ANSWER_MS = { least: 1000, most: 10_000 }
/** How often it is looked whether the machine is still what it was, in ms. */
const HARDWARE_MS = 600_000

/** @param known what the server has been told of the machine */
export function createHeartbeat(deps: HeartbeatDependencies, known: Hardware): Heartbeat {
  const { connection, sampler, readHardware, log, onOrders } = deps
  const pauses = createPauses({ firstMs: 250, longestMs: LONGEST_MS })
  let paces: Paces = { leaseSeconds: 30, telemetrySeconds: 15 }
  let wake = () => {}
  /** When the last sample was due; null before the first. */
  let sampledAt: number | null = null
  let saidAt = Number.NEGATIVE_INFINITY
  let hardwareAt = performance.now()
  let hardware = JSON.stringify(known)

  const paceMs = () => paces.telemetrySeconds * 1000
  const nextSampleAt = () => (sampledAt === null ? Number.NEGATIVE_INFINITY : sampledAt + paceMs())

  /**
   * The last moment that is a whole number of paces after the last sample: each node keeps its own beat, so that many
   * which are told to hurry at once, or find the server again, do not come at once from then on.
   */
  const beatBefore = (now: number) => now - (sampledAt === null ? 0 : (now - sampledAt) % paceMs())

  async function sampleIfDue(now: number): Promise<TelemetrySampleInput | null> {
    if (now < nextSampleAt()) return null
    sampledAt = beatBefore(now)
    try {
      return toInput(await sampler.sample())
    } catch (error) {
      log.warn({ err: error }, 'the machine could not be measured')
      return null
    }
  }

  async function hardwareIfChanged(now: number): Promise<Hardware | null> {
    if (now - hardwareAt < HARDWARE_MS) return null
    hardwareAt = now
    const found = await readHardware()
    return JSON.stringify(found) === hardware ? null : found
  }

  async function sendWord(signal: AbortSignal): Promise<void> {
    const askedAt = performance.now()
    saidAt = askedAt
    const changed = await hardwareIfChanged(askedAt)
    const input = { sample: await sampleIfDue(askedAt), ...(changed && { hardware: changed }) }
    const { least, most } = ANSWER_MS
    const answerMs = Math.min(most, Math.max(least, (paces.leaseSeconds * 1000) / 2))
    const orders = await connection.heartbeat(input, { signal, answerMs })
    if (changed) hardware = JSON.stringify(changed)
    onOrders(orders, askedAt)
  }

  const nextWordAt = () => {
    const silence = Math.min(LONGEST_MS, (paces.leaseSeconds * 1000) / WORDS_PER_LEASE)
    return Math.min(saidAt + silence, nextSampleAt())
  }

  async function waitForNext(signal: AbortSignal): Promise<void> {
    // The paces may change meanwhile.
    for (let ms = nextWordAt() - performance.now(); ms > 0 && !signal.aborted; ) {
      await waitOrWake(ms, signal)
      ms = nextWordAt() - performance.now()
    }
  }

  async function waitOrWake(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        wake = () => {}
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      wake = end
    })
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await sendWord(signal)
          pauses.reset()
          await waitForNext(signal)
        } catch (error) {
          if (signal.aborted) return
          if (isAboutRights(error)) throw error
          if (error instanceof UnreachableError) {
            log.debug({ reason: error.message }, 'a word did not reach the server')
          } else {
            // Such as a sample that the server finds impossible: the next word comes without it.
            log.error({ err: error }, 'a word was not taken')
          }
          await pauses.wait(signal)
        }
      }
    },
    setPaces(now) {
      const isSooner = now.telemetrySeconds < paces.telemetrySeconds || now.leaseSeconds < paces.leaseSeconds
      paces = now
      if (!isSooner) return
      if (sampledAt !== null) sampledAt = beatBefore(performance.now())
      wake()
    },
  }
}

function toInput({ timestamp, ...sample }: TelemetrySample): TelemetrySampleInput {
  return { ...sample, timestamp: timestamp.toISOString() }
}
