import { readFileSync, writeFileSync } from 'node:fs'

/** How much memory a process holds, in bytes. */
export interface Memory {
  resident: number
  /** The most that was resident since the process began, or since `forgetPeak`. */
  peak: number
}

/** The memory of a process, as the kernel counts it. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (field: string) => {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
    if (kilobytes === undefined) throw new Error(`The kernel does not tell the ${field} of a process.`)
    return Number(kilobytes) * 1024
  }
  return { resident: bytes('VmRSS'), peak: bytes('VmHWM') }
}

/** From now on, the peak of the process is counted anew. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
