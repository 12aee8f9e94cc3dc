import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { isAlive, type ProcessIdentity, processIdentity } from '../../src/execution/processes/identity.ts'
import { readRecord, writeRecord } from '../../src/execution/supervisor/records.ts'
import { until } from '../support/until.ts'
import { bash, cleanUp, type Execution } from './support/executions.ts'

const strangers: ChildProcess[] = []

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

afterEach(async () => {
  for (const stranger of strangers.splice(0)) stranger.kill('SIGKILL')
  await cleanUp()
})

const LONG = 600
const WAIT = 'while :; do sleep 0.02; done'

/** A running execution whose supervisor was killed. */
async function orphan(script: string): Promise<Execution> {
  const run = await bash(script)
  await run.launch()
  await until('the script is ready', () => run.has('ready'))
  await run.reaches('running')
  await killSupervisor(run)
  return run
}

async function killSupervisor(run: Execution): Promise<void> {
  const identity = processIdentity(await run.supervisorPid())
  if (!identity) throw new Error('there is no supervisor')
  process.kill(identity.pid, 'SIGKILL')
  await until('the supervisor is dead', () => !isAlive(identity))
}

/** A living process that has nothing to do with any execution. */
function stranger(): ProcessIdentity {
  const child = spawn('sleep', ['1000'])
  strangers.push(child)
  const identity = processIdentity(Number(child.pid))
  if (!identity) throw new Error('sleep did not start')
  return identity
}

/** The identity of a process that has ended. */
async function deadIdentity(): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['0'])
  const identity = processIdentity(Number(child.pid))
  await once(child, 'exit')
  if (!identity) throw new Error('sleep did not start')
  return identity
}

describe('a command whose supervisor was killed', () => {
  test('is reported as running without one, and terminated all the same', async () => {
    const run = await orphan(`trap 'echo saved > checkpoint; exit 0' TERM; echo $$ > ready; ${WAIT}`)
    expect(await run.inspect()).toMatchObject({
      state: 'running',
      supervised: false,
      pid: Number(run.text('ready')),
    })
    await run.terminate(LONG)
    expect(await run.reaches('lost')).toMatchObject({
      reason: 'its supervisor was killed, so its exit status is unknown',
      termination: { requestedAt: expect.any(Date) },
      cleanup: { killed: false, unfinishedFiles: [] },
    })
    expect(run.text('checkpoint')).toBe('saved\n')
    expect(await run.processes()).toEqual([])
  })

  test('is killed after the grace, which a later request shortens, with what left its session', async () => {
    const run = await orphan(
      `trap '' TERM; exec 3> half; (setsid bash -c '${WAIT}' &); echo > ready; ${WAIT}`,
    )
    await run.terminate(LONG)
    await until('somebody acts on it', () => readRecord(run.directory, 'successor'))
    expect(await run.inspect()).toMatchObject({ state: 'running', supervised: false })
    await run.terminate(0)
    expect(await run.reaches('lost')).toMatchObject({
      cleanup: { killed: true, unfinishedFiles: [run.path('half')] },
    })
    expect(await run.processes()).toEqual([])
  })

  test('is terminated even if whoever carried that out is killed, too', async () => {
    const run = await orphan(`trap '' TERM; echo > ready; ${WAIT}`)
    await run.terminate(LONG)
    const successor = await until('somebody acts on it', () => readRecord(run.directory, 'successor'))
    process.kill(successor.identity.pid, 'SIGKILL')
    await until('it is dead', () => !isAlive(successor.identity))
    expect(await run.inspect()).toMatchObject({ state: 'running', supervised: false })
    await run.terminate(0)
    expect(await run.reaches('lost')).toMatchObject({ cleanup: { killed: true } })
  })

  test('is lost when it ends by itself', async () => {
    const run = await orphan('echo > ready; until [ -e go ]; do sleep 0.02; done; exit 3')
    await run.touch('go')
    expect(await run.reaches('lost')).toMatchObject({
      reason: 'its supervisor was killed, so its exit status is unknown',
      termination: null,
    })
  })

  test('keeps its exit code when that was known before', async () => {
    const run = await bash(
      `(trap '' TERM; echo > ready; ${WAIT}) & until [ -e ready ]; do sleep 0.02; done; exit 4`,
    )
    await run.launch()
    await until('the end is recorded', async () => (await readRecord(run.directory, 'process'))?.end)
    await killSupervisor(run)
    expect(await run.inspect()).toMatchObject({ state: 'running', supervised: false })
    await run.terminate(0)
    expect(await run.reaches('exited')).toMatchObject({
      exitCode: 4,
      termination: null,
      cleanup: { killed: true },
    })
    expect(await run.processes()).toEqual([])
  })
})

describe('a supervisor that was killed before it recorded the start', () => {
  test('leaves a command that is found and can be terminated', async () => {
    const run = await orphan(`echo $$ > ready; ${WAIT}`)
    await rm(join(run.directory, 'process.json'))
    expect(await run.inspect()).toMatchObject({ state: 'running', supervised: false })
    await run.terminate(LONG)
    expect((await run.reaches('lost')).reason).toMatch('before it recorded a start')
    expect(await run.processes()).toEqual([])
  })

  test('is lost when nothing runs, and launching again starts nothing', async () => {
    const run = await bash('echo > started')
    await writeRecord(run.directory, 'spec', run.spec)
    await writeRecord(run.directory, 'supervisor', { identity: await deadIdentity(), claimedAt: Date.now() })
    await run.launch()
    expect(await run.inspect()).toMatchObject({ state: 'lost', termination: null })
    await run.terminate(0)
    expect((await run.reaches('lost')).reason).toMatch('before it recorded a start')
    expect(run.has('started')).toBe(false)
  })
})

describe('another program with the same process id', () => {
  /** An execution whose records name a stranger's process id. */
  async function forged(
    change: Partial<ProcessIdentity>,
  ): Promise<{ run: Execution; other: ProcessIdentity }> {
    const run = await bash('true')
    const other = stranger()
    const identity = { ...other, ...change }
    await writeRecord(run.directory, 'spec', run.spec)
    await writeRecord(run.directory, 'supervisor', { identity, claimedAt: Date.now() })
    await writeRecord(run.directory, 'process', { identity, startedAt: Date.now(), end: null })
    return { run, other }
  }

  test('is neither taken for the command nor signalled', async () => {
    const { run, other } = await forged({ startTime: '1' })
    expect((await run.reaches('lost')).reason).toMatch('belongs to another program now')
    await run.terminate(0)
    expect((await run.reaches('lost')).reason).toMatch('belongs to another program now')
    expect(isAlive(other)).toBe(true)
  })

  test('is not signalled when other processes of the execution are', async () => {
    const run = await orphan(`echo > ready; ${WAIT}`)
    const other = stranger()
    await writeRecord(run.directory, 'process', {
      identity: { ...other, startTime: '1' },
      startedAt: Date.now(),
      end: null,
    })
    await run.terminate(0)
    await run.reaches('lost')
    expect(await run.processes()).toEqual([])
    expect(isAlive(other)).toBe(true)
  })

  test('is a stranger after a restart of the machine, even with the same start', async () => {
    const { run, other } = await forged({ bootId: 'an earlier one' })
    expect((await run.reaches('lost')).reason).toBe('the machine was restarted')
    await run.terminate(0)
    expect((await run.reaches('lost')).reason).toBe('the machine was restarted')
    expect(isAlive(other)).toBe(true)
  })
})
