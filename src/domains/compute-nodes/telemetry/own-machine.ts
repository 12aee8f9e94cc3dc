import type { Logger } from 'pino'
import type { Sampler } from '../../../machine/sampler.ts'
import type { TelemetrySample } from '../../../machine/types.ts'
import type { Signals } from '../../../streams/signals.ts'
import { OWN_NODE_ID } from '../own-node.ts'
import { nodeTopics } from '../topics.ts'

/** What sampling the server's own machine needs. */
export interface OwnTelemetryDependencies {
  signals: Signals
  log: Logger
  sampler: Sampler
  /** How often a node is to sample itself now, in seconds; told again with the topic of its orders. */
  secondsOf: (nodeId: string) => number
  record: (nodeId: string, sample: TelemetrySample) => void
}

/** Samples the server's own machine, which has no agent, at the pace of all nodes. */
export function createOwnTelemetry({ signals, log, sampler, secondsOf, record }: OwnTelemetryDependencies) {
  let timer: NodeJS.Timeout | undefined
  let stopListening = () => {}
  let isStopped = false

  async function sample(): Promise<void> {
    clearTimeout(timer)
    try {
      record(OWN_NODE_ID, await sampler.sample())
    } catch (error) {
      log.error({ err: error }, 'the machine of the server could not be sampled')
    }
    clearTimeout(timer)
    if (isStopped) return
    timer = setTimeout(() => void sample(), secondsOf(OWN_NODE_ID) * 1000).unref()
  }

  return {
    start(): void {
      let seconds = secondsOf(OWN_NODE_ID)
      stopListening = signals.listen(nodeTopics.orders(OWN_NODE_ID), () => {
        const before = seconds
        seconds = secondsOf(OWN_NODE_ID)
        // Whoever begins to watch does not wait for the end of a long pause.
        if (seconds < before) void sample()
      })
      void sample()
    },

    stop(): void {
      isStopped = true
      stopListening()
      clearTimeout(timer)
    },
  }
}
