import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { networkStats } from 'systeminformation'

/** What came in and went out per second. */
export interface NetworkRates {
  rxBytesPerSecond: number
  txBytesPerSecond: number
}

/** What an interface has received and sent since it exists, in bytes. */
interface Counters {
  rx: number
  tx: number
}

/** Where Linux tells of interfaces. */
const FILES = { counters: '/proc/net/dev', interfaces: '/sys/class/net' }
/** Over less than this a rate says nothing. */
const SHORTEST_MS = 100

/**
 * Tells what the network interfaces together received and sent since it was told before; null at first. Only
 * real ones count, as what goes through a bridge or a tunnel goes through them too; where there is none, as in a
 * container, all but the loopback do.
 */
export function createNetworkMeter(files = FILES): () => Promise<NetworkRates | null> {
  let before: { counters: Map<string, Counters>; at: number } | null = null
  let rates: NetworkRates | null = null
  /** Whether an interface is real, which is asked once. */
  const real = new Map<string, boolean>()

  async function isReal(name: string): Promise<boolean> {
    const known = real.get(name)
    if (known !== undefined) return known
    const found = await access(join(files.interfaces, name, 'device')).then(
      () => true,
      () => false,
    )
    real.set(name, found)
    return found
  }

  async function readCounters(): Promise<Map<string, Counters>> {
    const all = await readInterfaces(files.counters)
    for (const name of real.keys()) if (!all.has(name)) real.delete(name)
    all.delete('lo')
    const names = [...all.keys()]
    const areReal = await Promise.all(names.map(isReal))
    if (!areReal.includes(true)) return all
    return new Map([...all].filter((_, index) => areReal[index]))
  }

  return async () => {
    if (before && performance.now() - before.at < SHORTEST_MS) return rates
    const counters = await readCounters().catch(() => null)
    const at = performance.now()
    rates = counters && before && ratesBetween(before.counters, counters, (at - before.at) / 1000)
    before = counters && { counters, at }
    return rates
  }
}

function ratesBetween(
  before: Map<string, Counters>,
  now: Map<string, Counters>,
  seconds: number,
): NetworkRates {
  const grown = { rx: 0, tx: 0 }
  for (const [name, { rx, tx }] of now) {
    const earlier = before.get(name)
    if (!earlier) continue
    // An interface that was made anew under the same name counts from 0 again.
    grown.rx += rx >= earlier.rx ? rx - earlier.rx : rx
    grown.tx += tx >= earlier.tx ? tx - earlier.tx : tx
  }
  return {
    rxBytesPerSecond: Math.round(grown.rx / seconds),
    txBytesPerSecond: Math.round(grown.tx / seconds),
  }
}

/** The counters of all interfaces. Where Linux has files, the library runs a program for each interface. */
async function readInterfaces(path: string): Promise<Map<string, Counters>> {
  if (process.platform !== 'linux') {
    const interfaces = await networkStats('*')
    return new Map(interfaces.map(({ iface, rx_bytes: rx, tx_bytes: tx }) => [iface, { rx, tx }]))
  }
  const lines = (await readFile(path, 'utf8')).split('\n')
  return new Map(
    lines.flatMap((line) => {
      const [, name, counts = ''] = /^\s*(\S+):\s*(.*)$/.exec(line) ?? []
      if (name === undefined) return []
      const numbers = counts.split(/\s+/).map(Number)
      return [[name, { rx: numbers[0] ?? 0, tx: numbers[8] ?? 0 }]]
    }),
  )
}
