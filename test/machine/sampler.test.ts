import { type ChildProcess, spawn } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSampler } from '../../src/machine/sampler.ts'
import { writeGpuProgram, writeNvidiaSmi } from '../support/nvidia-smi.ts'
import { until } from '../support/until.ts'

let folder: string
const children: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-sampler-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const sampler = (path = folder) => createSampler({ environment: { PATH: path }, folder })

test('a sample says how the machine does', async () => {
  const before = Date.now()
  const sample = await sampler().sample()
  expect(sample.timestamp.getTime()).toBeGreaterThanOrEqual(before)
  expect(sample.cpuUsage).toBeGreaterThanOrEqual(0)
  expect(sample.cpuUsage).toBeLessThanOrEqual(100)
  expect(sample.memoryUsage).toBeGreaterThan(0)
  expect(sample.memoryUsage).toBeLessThan(100)
  expect(sample.memoryTotalBytes).toBeGreaterThan(0)
  expect(sample.memoryTotalBytes).toBeLessThanOrEqual(totalmem())
  expect(sample.gpus).toEqual([])
})

test('memory is used that is not available', async () => {
  const facts = await readFile('/proc/meminfo', 'utf8')
  const kibibytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(facts)?.[1])
  const { memoryUsage, memoryTotalBytes } = await sampler().sample()
  if (memoryTotalBytes < kibibytes('MemTotal') * 1024) return
  expect(memoryTotalBytes).toBe(kibibytes('MemTotal') * 1024)
  // Others take and give back some in between.
  const expected = 100 * (1 - kibibytes('MemAvailable') / kibibytes('MemTotal'))
  expect(Math.abs(memoryUsage - expected)).toBeLessThan(5)
})

test('busy processors are seen', async () => {
  const machine = sampler()
  await machine.sample()
  for (let n = 0; n < availableParallelism(); n++) {
    children.push(spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }))
  }
  await until('nearly all of their time is used', async () => (await machine.sample()).cpuUsage > 80)
})

test('the disk is that of the folder, and a folder that is not there has none', async () => {
  const { blocks, bfree, bavail } = await statfs(folder)
  const { diskUsage } = await sampler().sample()
  expect(diskUsage).toBeCloseTo((100 * (blocks - bfree)) / (blocks - bfree + bavail), 0)
  const missing = createSampler({ environment: { PATH: folder }, folder: join(folder, 'missing') })
  expect((await missing.sample()).diskUsage).toBeNull()
})

test('rates are there from the second sample on', async () => {
  const machine = sampler()
  expect(await machine.sample()).toMatchObject({
    networkRxBytesPerSecond: null,
    networkTxBytesPerSecond: null,
  })
  await until('a rate is there', async () => (await machine.sample()).networkRxBytesPerSecond !== null)
})

test('who asks while a sample is being taken gets that one', async () => {
  const waits = `while [ ! -e ${folder}/go ]; do /bin/sleep 0.02; done`
  await writeGpuProgram(folder, `printf x >> ${folder}/starts; ${waits}`)
  const machine = sampler()
  const [first, second] = [machine.sample(), machine.sample()]
  await until('it has begun', () => readFile(join(folder, 'starts')).catch(() => null))
  const third = machine.sample()
  await writeFile(join(folder, 'go'), '')
  expect(await second).toBe(await first)
  expect(await third).toBe(await first)
  expect(await readFile(join(folder, 'starts'), 'utf8')).toBe('x')
  expect(await machine.sample()).not.toBe(await first)
})

test('without a GPU no process is started', async () => {
  const started: unknown[] = []
  const note = (message: unknown) => started.push(message)
  const machine = sampler()
  subscribe('child_process', note)
  await machine.sample()
  await machine.sample()
  expect(started).toHaveLength(0)

  await writeNvidiaSmi(folder, [{}])
  await sampler().sample()
  expect(started).toHaveLength(1)
  unsubscribe('child_process', note)
})

test('GPUs are part of it', async () => {
  await writeNvidiaSmi(folder, [{ 'utilization.gpu': 12 }, { 'utilization.gpu': '[N/A]' }])
  expect((await sampler().sample()).gpus).toMatchObject([
    { index: 0, utilization: 12 },
    { index: 1, utilization: null },
  ])
})
