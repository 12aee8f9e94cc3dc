import { pino } from 'pino'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createHeartbeat, type Paces } from '../../src/agent/heartbeat.ts'
import type { Hardware } from '../../src/machine/types.ts'

const HARDWARE: Hardware = {
  hostname: 'gpu-1',
  os: null,
  kernel: '6.1',
  architecture: 'x64',
  cpu: { model: null, cores: 1, threads: 2 },
  memoryTotalBytes: 1,
  disks: null,
  gpus: [],
  machineId: null,
  bootId: null,
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }))
afterEach(() => void vi.useRealTimers())

/** A heartbeat that begins now, and the times of its words with and without a sample. */
function begin(paces: Paces) {
  const words: number[] = []
  const samples: number[] = []
  const abort = new AbortController()
  const heartbeat = createHeartbeat(
    {
      connection: {
        async heartbeat({ sample }) {
          ;(sample ? samples : words).push(performance.now())
          return { __typename: 'AgentOrders', ...paces, executions: [] }
        },
      },
      sampler: {
        sample: async () => ({
          timestamp: new Date(),
          cpuUsage: 1,
          memoryUsage: 1,
          memoryTotalBytes: 1,
          diskUsage: null,
          networkRxBytesPerSecond: null,
          networkTxBytesPerSecond: null,
          gpus: [],
        }),
      },
      readHardware: async () => HARDWARE,
      log: pino({ level: 'silent' }),
      onOrders: () => {},
    },
    HARDWARE,
  )
  heartbeat.setPaces(paces)
  void heartbeat.run(abort.signal)
  return { heartbeat, words, samples, stop: () => abort.abort() }
}

test('nodes that are told to hurry at the same moment keep their own beats', async () => {
  const start = performance.now()
  const since = (times: number[]) => times.map((time) => time - start)
  const slow = { leaseSeconds: 30, telemetrySeconds: 15 }
  const one = begin(slow)
  await vi.advanceTimersByTimeAsync(700)
  const other = begin(slow)
  await vi.advanceTimersByTimeAsync(8300)

  for (const { heartbeat } of [one, other]) heartbeat.setPaces({ leaseSeconds: 30, telemetrySeconds: 2 })
  await vi.advanceTimersByTimeAsync(4000)

  expect(since(one.samples)).toEqual([0, 10_000, 12_000])
  expect(since(other.samples)).toEqual([700, 10_700, 12_700])
  expect(since(one.words)).toEqual([5000])
  one.stop()
  other.stop()
})

test('a shorter lease is kept from the moment that it is known', async () => {
  const start = performance.now()
  const { heartbeat, words, stop } = begin({ leaseSeconds: 30, telemetrySeconds: 15 })
  await vi.advanceTimersByTimeAsync(1000)
  heartbeat.setPaces({ leaseSeconds: 2, telemetrySeconds: 15 })
  await vi.advanceTimersByTimeAsync(1000)
  expect(words.map((time) => time - start)).toEqual([1000, 1500, 2000])
  stop()
})
