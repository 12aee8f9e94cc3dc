import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readHardware } from '../../src/machine/hardware.ts'
import { writeNvidiaSmi } from '../support/nvidia-smi.ts'

test('the hardware of this machine is told, with the GPUs of its nvidia-smi', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-hardware-'))
  await writeNvidiaSmi(folder, [{ 'utilization.gpu': 50 }])
  const hardware = await readHardware({ PATH: folder })
  await rm(folder, { recursive: true })

  expect(hardware).toMatchObject({
    hostname: hostname(),
    kernel: release(),
    architecture: process.arch,
    machineId: expect.toSatisfy((id) => id === null || /^[0-9a-f]+$/.test(id)),
    bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    gpus: [
      {
        index: 0,
        uuid: 'GPU-5d1ab2f4-13a6-3f1c-9c0e-0d3d3a4f8d21',
        name: 'NVIDIA H100 80GB HBM3',
        driverVersion: '570.133.20',
        memoryTotalBytes: 81_559 * 1024 * 1024,
      },
    ],
  })
  expect(hardware.os).toMatch(/\w/)
  expect(hardware.cpu.model).toMatch(/\w/)
  expect(hardware.cpu.threads).toBeGreaterThan(0)
  expect(hardware.cpu.cores).toBeLessThanOrEqual(hardware.cpu.threads)
  expect(hardware.memoryTotalBytes).toBeLessThanOrEqual(totalmem())
  expect(hardware.disks).toContainEqual({ mount: '/', sizeBytes: expect.any(Number) })
  const mounts = hardware.disks?.map(({ mount }) => mount) ?? []
  expect(mounts.filter((mount) => /^\/(proc|sys|dev)(\/|$)/.test(mount))).toEqual([])
})
