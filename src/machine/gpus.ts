import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A GPU of this machine as nvidia-smi tells of it; null is what its driver does not tell. */
export interface Gpu {
  /** Its number, as nvidia-smi counts. */
  index: number
  /** Its name for good, such as GPU-5d1ab2f4-…, wherever it is plugged in. */
  uuid: string | null
  /** Its model, such as NVIDIA H100 80GB HBM3. */
  name: string
  driverVersion: string | null
  memoryTotalBytes: number | null
  memoryUsedBytes: number | null
  /** The memory that nobody uses, which is less than what the other two leave: the driver keeps some. */
  memoryFreeBytes: number | null
  /** The part of the time in which something ran on it, in percent. */
  utilization: number | null
  temperatureCelsius: number | null
  powerWatts: number | null
}

/** The program that tells of GPUs. */
export const GPU_PROGRAM = 'nvidia-smi'
/** What is asked for, in the order in which it is read; the name last, as there may be a comma in it. */
const FIELDS = [
  'index',
  'uuid',
  'driver_version',
  'memory.total',
  'memory.used',
  'memory.free',
  'utilization.gpu',
  'temperature.gpu',
  'power.draw',
  'name',
]
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
  return (await queryGpus(environment, TIMEOUT_MS)) ?? []
}

/** As readGpus, but null when nvidia-smi fails or takes longer than `timeoutMs`, so that nothing is known. */
export async function queryGpus(
  environment: Record<string, string>,
  timeoutMs: number,
): Promise<Gpu[] | null> {
  const asked = [`--query-gpu=${FIELDS.join()}`, '--format=csv,noheader,nounits']
  // A program that hangs in the driver does not heed SIGTERM, if anything.
  const options = { env: environment, timeout: timeoutMs, killSignal: 'SIGKILL' as const }
  const output = await run(GPU_PROGRAM, asked, options).then(
    ({ stdout }) => stdout,
    () => null,
  )
  if (output === null) return null
  const usable = visibleGpus(environment.CUDA_VISIBLE_DEVICES)
  return parseGpus(output).filter(({ index }) => usable === null || usable.includes(index))
}

/** The GPUs of which a line of nvidia-smi's output tells; what is no such line is passed over. */
function parseGpus(output: string): Gpu[] {
  return output.split('\n').flatMap((line) => {
    const [index = '', uuid, driver, total, used, free, utilization, temperature, power, ...name] = line
      .split(',')
      .map((field) => field.trim())
    if (!/^\d+$/.test(index) || name.length === 0) return []
    return {
      index: Number(index),
      uuid: toText(uuid),
      name: toText(name.join(', ')) ?? 'GPU',
      driverVersion: toText(driver),
      memoryTotalBytes: toBytes(total),
      memoryUsedBytes: toBytes(used),
      memoryFreeBytes: toBytes(free),
      utilization: toNumber(utilization),
      temperatureCelsius: toNumber(temperature),
      powerWatts: toNumber(power),
    }
  })
}

/** What is not known stands there as [N/A], [Not Supported], [Unknown Error] and the like. */
function toText(field = ''): string | null {
  return field === '' || field.startsWith('[') || field === 'N/A' ? null : field
}

function toNumber(field = ''): number | null {
  return /^\d+(\.\d+)?$/.test(field) ? Number(field) : null
}

function toBytes(field: string | undefined): number | null {
  const mebibytes = toNumber(field)
  return mebibytes === null ? null : Math.round(mebibytes * MiB)
}

/** The numbers in CUDA_VISIBLE_DEVICES; null when it leaves nothing out, or names GPUs in another way. */
function visibleGpus(setting: string | undefined): number[] | null {
  if (setting === undefined || !/^\d+(,\d+)*$/.test(setting.trim())) return null
  return setting.split(',').map(Number)
}
