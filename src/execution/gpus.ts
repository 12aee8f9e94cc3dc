import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A GPU of this machine. */
export interface Gpu {
  /** Its number, as nvidia-smi counts. */
  index: number
  /** How much of its memory nobody uses, in bytes; infinite where the driver does not tell. */
  freeBytes: number
}

const run = promisify(execFile)
const MiB = 1024 * 1024
/** How long nvidia-smi may take, in ms: without its daemon it starts the driver, which takes seconds. */
const TIMEOUT_MS = 20_000

/**
 * The GPUs of this machine that may be used, as nvidia-smi tells; none where there is no such program, or no driver.
 *
 * @param environment where the program is looked up, and whose CUDA_VISIBLE_DEVICES leaves others out
 */
export async function readGpus(environment: Record<string, string>): Promise<Gpu[]> {
  const output = await run('nvidia-smi', ['--query-gpu=index,memory.free', '--format=csv,noheader,nounits'], {
    env: environment,
    timeout: TIMEOUT_MS,
  }).then(
    ({ stdout }) => stdout,
    () => '',
  )
  const usable = visibleGpus(environment.CUDA_VISIBLE_DEVICES)
  return parseGpus(output).filter(({ index }) => usable === null || usable.includes(index))
}

/** What `nvidia-smi --query-gpu=index,memory.free --format=csv,noheader,nounits` says. */
export function parseGpus(output: string): Gpu[] {
  return output.split('\n').flatMap((line) => {
    const [, index, free = ''] = /^\s*(\d+)\s*,\s*(.+?)\s*$/.exec(line) ?? []
    if (index === undefined) return []
    const freeMiB = Number.parseInt(free, 10)
    return {
      index: Number(index),
      freeBytes: Number.isNaN(freeMiB) ? Number.POSITIVE_INFINITY : freeMiB * MiB,
    }
  })
}

/** The numbers in CUDA_VISIBLE_DEVICES; null when it leaves nothing out, or names GPUs in another way. */
function visibleGpus(setting: string | undefined): number[] | null {
  if (setting === undefined || !/^\d+(,\d+)*$/.test(setting.trim())) return null
  return setting.split(',').map(Number)
}
