import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createGpuMeter } from '../../src/machine/gpu-meter.ts'
import { readGpus } from '../../src/machine/gpus.ts'
import { writeGpuProgram, writeNvidiaSmi } from '../support/nvidia-smi.ts'

const MiB = 1024 * 1024
const BUSY = { 'memory.used': 40_960, 'utilization.gpu': 97, 'temperature.gpu': 68, 'power.draw': 612.5 }

let folder: string
let environment: Record<string, string>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-gpus-'))
  environment = { PATH: folder, STARTS: join(folder, 'starts') }
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** How often the program was started that notes it. */
async function starts(): Promise<number> {
  return (await readFile(join(folder, 'starts'), 'utf8').catch(() => '')).length
}

describe('the GPUs of a machine', () => {
  test('are told with all that their driver tells', async () => {
    await writeNvidiaSmi(folder, [BUSY, { uuid: 'GPU-2', name: 'NVIDIA A100-SXM4-80GB, one of two' }])
    expect(await readGpus(environment)).toEqual([
      {
        index: 0,
        uuid: 'GPU-5d1ab2f4-13a6-3f1c-9c0e-0d3d3a4f8d21',
        name: 'NVIDIA H100 80GB HBM3',
        driverVersion: '570.133.20',
        memoryTotalBytes: 81_559 * MiB,
        memoryUsedBytes: 40_960 * MiB,
        memoryFreeBytes: 81_078 * MiB,
        utilization: 97,
        temperatureCelsius: 68,
        powerWatts: 612.5,
      },
      expect.objectContaining({ index: 1, uuid: 'GPU-2', name: 'NVIDIA A100-SXM4-80GB, one of two' }),
    ])
  })

  test('have null where it does not', async () => {
    const unknown = {
      'memory.total': '[N/A]',
      'memory.used': '[Unknown Error]',
      'utilization.gpu': '[N/A]',
      'power.draw': '[Not Supported]',
      uuid: '[Unknown Error]',
    }
    await writeNvidiaSmi(folder, [unknown])
    expect(await readGpus(environment)).toMatchObject([
      {
        index: 0,
        uuid: null,
        memoryTotalBytes: null,
        memoryUsedBytes: null,
        utilization: null,
        powerWatts: null,
        temperatureCelsius: 31,
      },
    ])
  })

  test('are those that CUDA_VISIBLE_DEVICES leaves', async () => {
    await writeNvidiaSmi(folder, [{}, {}, {}])
    const indices = async (setting: string) =>
      (await readGpus({ ...environment, CUDA_VISIBLE_DEVICES: setting })).map(({ index }) => index)
    expect(await indices('2,0')).toEqual([0, 2])
    expect(await indices('GPU-5d1ab2f4')).toEqual([0, 1, 2])
  })

  test('are none without the program, when it fails, and when it talks of something else', async () => {
    expect(await readGpus(environment)).toEqual([])
    await writeGpuProgram(
      folder,
      'echo "NVIDIA-SMI has failed because it could not talk to the driver."; exit 9',
    )
    expect(await readGpus(environment)).toEqual([])
    await writeGpuProgram(folder, 'echo "No devices were found"; echo ", , ,"; echo "Thu Nov 20, 10:12"')
    expect(await readGpus(environment)).toEqual([])
  })
})

describe('a meter', () => {
  test('tells how each GPU does at that moment', async () => {
    await writeNvidiaSmi(folder, [{}])
    const read = createGpuMeter({ environment })
    expect(await read()).toMatchObject([{ index: 0, utilization: 0, powerWatts: 70.12 }])
    await writeNvidiaSmi(folder, [BUSY])
    expect(await read()).toEqual([
      {
        index: 0,
        name: 'NVIDIA H100 80GB HBM3',
        utilization: 97,
        memoryUsedBytes: 40_960 * MiB,
        memoryTotalBytes: 81_559 * MiB,
        temperatureCelsius: 68,
        powerWatts: 612.5,
      },
    ])
  })

  test('looks for the program again a minute after it was not there', async () => {
    let now = 0
    const read = createGpuMeter({ environment, now: () => now })
    expect(await read()).toEqual([])
    await writeNvidiaSmi(folder, [{}])
    now = 59_000
    expect(await read()).toEqual([])
    now = 61_000
    expect(await read()).toHaveLength(1)
  })

  test('passes over a folder of that name, and what may not be executed', async () => {
    await mkdir(join(folder, 'nvidia-smi'))
    expect(await createGpuMeter({ environment })()).toEqual([])
  })

  test.each([
    ['fails', 'exit 9'],
    ['hangs', 'trap "" TERM; exec /bin/sleep 1000'],
  ])('keeps the GPUs that it knows, but nothing about them, while the program %s', async (_what, script) => {
    let now = 0
    await writeNvidiaSmi(folder, [BUSY])
    const read = createGpuMeter({ environment, now: () => now, timeoutMs: 200 })
    await read()

    await writeGpuProgram(folder, `printf x >> "$STARTS"; ${script}`)
    const unknown = { utilization: null, memoryUsedBytes: null, temperatureCelsius: null, powerWatts: null }
    const expected = [{ index: 0, name: 'NVIDIA H100 80GB HBM3', memoryTotalBytes: 81_559 * MiB, ...unknown }]
    expect(await read()).toEqual(expected)
    now = 30_000
    expect(await read()).toEqual(expected)
    expect(await starts()).toBe(1)

    await writeNvidiaSmi(folder, [BUSY])
    now = 61_000
    expect(await read()).toMatchObject([{ index: 0, utilization: 97 }])
  })
})
