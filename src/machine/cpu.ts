import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** What the processors of a machine have done since it started, in any unit. */
interface CpuTimes {
  idle: number
  total: number
}

/** The kernel counts in hundredths of a second: over less than this, the usage would be a matter of chance. */
const SHORTEST_MS = 100

/** Tells the usage of all processors together since it was told before, in percent. */
export function createCpuMeter(): () => Promise<number> {
  let before = readTimes()
  let readAt = performance.now()
  let usage: number | null = null

  return async () => {
    const early = SHORTEST_MS - (performance.now() - readAt)
    if (early > 0 && usage !== null) return usage
    if (early > 0) await sleep(early)
    const now = readTimes()
    const total = now.total - before.total
    // Where other processors than before are counted, as when some were switched off, it may have shrunk.
    if (total > 0) usage = 100 * (1 - Math.min(1, Math.max(0, (now.idle - before.idle) / total)))
    before = now
    readAt = performance.now()
    return usage ?? 0
  }
}

/**
 * The first line of /proc/stat where there is one. Node reads the clock of every processor besides, which
 * takes milliseconds on a large machine; the library runs `cat`, and everything waits for it.
 */
function readTimes(): CpuTimes {
  try {
    const [, line = ''] = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? []
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted as user already.
    const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, ...rest] = line.split(' ', 8).map(Number)
    const busy = rest.reduce((sum, time) => sum + time, user + nice + system)
    return { idle: idle + waiting, total: busy + idle + waiting }
  } catch {
    const times = cpus().map((cpu) => cpu.times)
    const total = times.flatMap((time) => Object.values(time)).reduce((sum, time) => sum + time, 0)
    return { idle: times.reduce((sum, time) => sum + time.idle, 0), total }
  }
}
