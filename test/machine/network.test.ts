import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNetworkMeter } from '../../src/machine/network.ts'
import { until } from '../support/until.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-network-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Writes what the kernel tells of interfaces: what each has received and sent. */
async function given(
  interfaces: Record<string, [rx: number, tx: number]>,
  real: string[] = [],
): Promise<void> {
  const lines = Object.entries(interfaces).map(
    ([name, [rx, tx]]) => `${name.padStart(6)}: ${rx} 1 0 0 0 0 0 0 ${tx} 1 0 0 0 0 0 0`,
  )
  await writeFile(
    join(folder, 'dev'),
    ['Inter-| Receive | Transmit', ' face |bytes', ...lines, ''].join('\n'),
  )
  for (const name of real) await mkdir(join(folder, 'net', name, 'device'), { recursive: true })
}

const meter = () => createNetworkMeter({ counters: join(folder, 'dev'), interfaces: join(folder, 'net') })

/** The next rates, when enough time for them is over. */
async function nextRates(read: ReturnType<typeof meter>) {
  const before = await read()
  return until('other rates', async () => {
    const rates = await read()
    return rates !== before && rates
  })
}

test('what real interfaces receive and send is told, each once', async () => {
  await given({ lo: [0, 0], eth0: [1000, 500], eth1: [0, 0], docker0: [0, 0] }, ['eth0', 'eth1'])
  const read = meter()
  expect(await read()).toBeNull()

  await given({ lo: [9e9, 9e9], eth0: [4_001_000, 500], eth1: [1_000_000, 1_000_000], docker0: [9e9, 9e9] })
  const rates = await nextRates(read)
  expect(rates.rxBytesPerSecond / rates.txBytesPerSecond).toBeCloseTo(5, 2)
})

test('in a container, the interfaces that there are do', async () => {
  await given({ lo: [0, 0], eth0: [0, 0] })
  const read = meter()
  await read()
  await given({ lo: [0, 7e6], eth0: [3_000_000, 1_000_000] })
  const rates = await nextRates(read)
  expect(rates.rxBytesPerSecond / rates.txBytesPerSecond).toBeCloseTo(3, 2)
})

test('an interface that counts from the beginning again, or is new, gives no impossible rate', async () => {
  await given({ eth0: [1e15, 1e15] })
  const read = meter()
  await read()
  await given({ eth0: [2000, 1000], eth1: [1e15, 1e15] })
  const rates = await nextRates(read)
  expect(rates.rxBytesPerSecond).toBeGreaterThan(0)
  expect(rates.rxBytesPerSecond).toBeLessThanOrEqual(20_000)
})

test('without anything to read there are no rates', async () => {
  const read = meter()
  expect(await read()).toBeNull()
  expect(await read()).toBeNull()
})
