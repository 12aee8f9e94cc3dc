import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdir, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { isAlive, processIdentity } from '../../src/execution/processes/identity.ts'
import { until } from '../support/until.ts'
import { bash, cleanUp, type Execution, execution, executor } from './support/executions.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

afterEach(cleanUp)

const stdout = (run: Execution) => readFileSync(join(run.directory, 'stdout.log'), 'utf8')

describe('a command that ends by itself', () => {
  test('is reported with its exit code, its times and its output', async () => {
    const run = await bash('echo out; echo err >&2; exit 3')
    const before = new Date()
    await run.launch()
    const report = await run.reaches('exited')
    expect(report).toMatchObject({ exitCode: 3, signal: null, termination: null })
    expect(report.cleanup).toEqual({ killed: false, unfinishedFiles: [] })
    expect(report.startedAt >= before && report.endedAt >= report.startedAt).toBe(true)
    expect(stdout(run)).toBe('out\n')
    expect(readFileSync(join(run.directory, 'stderr.log'), 'utf8')).toBe('err\n')
    expect(readFileSync(join(run.directory, 'supervisor.log'), 'utf8')).toBe('')
  })

  test('is reported with the signal that ended it', async () => {
    const run = await bash('kill -SEGV $$')
    await run.launch()
    expect(await run.reaches('exited')).toMatchObject({
      exitCode: null,
      signal: 'SIGSEGV',
      termination: null,
    })
  })

  test('takes the processes that it left behind with it', async () => {
    const run = await bash(
      'sleep 1000 & (trap "" TERM; echo > stubborn; sleep 1000) & until [ -e stubborn ]; do sleep 0.02; done; exit 4',
    )
    await run.launch()
    const report = await run.reaches('exited')
    expect(report).toMatchObject({ exitCode: 4, termination: null, cleanup: { killed: true } })
    expect(await run.processes()).toEqual([])
  })

  test('gets exactly its environment and no input, and leads its own session', async () => {
    const run = await execution(['bash', '-c', 'env; cat; ps -o sid= -p $$; echo $$'])
    run.spec.env.GREETING = 'line one\nline two'
    await run.launch()
    await run.reaches('exited')
    const { name, value } = run.spec.marker
    const lines = stdout(run).trim().split('\n')
    const [pid, session] = [lines.pop(), lines.pop()?.trim()]
    expect(session).toBe(pid)
    expect(lines.filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line)).sort()).toEqual(
      [`${name}=${value}`, `PATH=${run.spec.env.PATH}`, 'GREETING=line one', 'line two'].sort(),
    )
  })
})

describe('a command that cannot be started', () => {
  const reason = async (run: Execution) => {
    await run.launch()
    return (await run.reaches('failed')).reason
  }

  test('because there is none', async () => {
    expect(await reason(await execution(['no-such-program-here', 'x']))).toBe(
      'command not found: no-such-program-here',
    )
  })

  test('because it is not executable', async () => {
    const run = await execution(['./train.sh'])
    writeFileSync(run.path('train.sh'), '#!/bin/sh\n')
    expect(await reason(run)).toBe('command is not executable: ./train.sh')
  })

  test('because its interpreter is missing', async () => {
    const run = await execution(['./train.sh'])
    writeFileSync(run.path('train.sh'), '#!/no/such/interpreter\n')
    chmodSync(run.path('train.sh'), 0o755)
    expect(await reason(run)).toMatch('the interpreter of ./train.sh was not found')
  })

  test('because its working directory is missing', async () => {
    const run = await execution(['bash'], { cwd: '/no/such/folder' })
    expect(await reason(run)).toBe('working directory not found: /no/such/folder')
  })

  test('because an argument is impossible', async () => {
    expect(await reason(await execution(['bash', '-c', 'a\0b']))).toMatch('bash could not be started')
  })
})

describe('a launch', () => {
  test('has not happened before it was asked for', async () => {
    const run = await bash('true')
    expect(await run.inspect()).toEqual({ state: 'absent' })
  })

  test('is found running by another executor', async () => {
    const run = await bash('echo $$ > pid; until [ -e go ]; do sleep 0.02; done')
    await run.launch()
    const report = await run.reaches('running')
    await until('the script runs', () => run.has('pid') && run.text('pid') !== '')
    expect(report).toMatchObject({ supervised: true, pid: Number(run.text('pid')) })
    await run.touch('go')
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 0 })
  })

  test('starts once, however often and however simultaneously it is asked for', async () => {
    const run = await bash('echo started >> starts; until [ -e go ]; do sleep 0.02; done; exit 5')
    await Promise.all(Array.from({ length: 6 }, () => run.launch()))
    await until('it has started', () => run.has('starts'))
    await run.launch()
    await run.touch('go')
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 5 })
    await run.launch()
    expect(run.text('starts')).toBe('started\n')
  })

  test('keeps the environment for the owner only', async () => {
    const run = await bash('true')
    await run.launch()
    expect((await stat(join(run.directory, 'spec.json'))).mode & 0o777).toBe(0o600)
    await run.reaches('exited')
  })

  test('survives a place for the result that cannot be written', async () => {
    const run = await bash('until [ -e go ]; do sleep 0.02; done; exit 6')
    await run.launch()
    await mkdir(join(run.directory, 'exit.json'))
    await run.touch('go')
    const log = () => readFileSync(join(run.directory, 'supervisor.log'), 'utf8')
    await until('the supervisor has failed', () => log().includes('recording the result'))
    await rmdir(join(run.directory, 'exit.json'))
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 6 })
  })

  test('whose directory is removed meanwhile is ended, and leaves no supervisor behind', async () => {
    const run = await bash(`trap 'echo > asked; exit 0' TERM; echo > ready; while :; do sleep 0.02; done`)
    await run.launch()
    await until('the script is ready', () => run.has('ready'))
    const supervisor = processIdentity(await run.supervisorPid())
    await rm(run.directory, { recursive: true, maxRetries: 20 })
    await until('the supervisor has ended', () => supervisor && !isAlive(supervisor))
    expect(run.has('asked')).toBe(true)
    expect(await run.processes()).toEqual([])
  })

  test('into a folder that does not exist is refused', async () => {
    const run = await bash('true')
    run.spec.directory = join(run.directory, 'missing')
    await expect(run.launch()).rejects.toThrow('ENOENT')
    run.spec.directory = run.directory
  })
})

describe('a caller that is killed', () => {
  const startCaller = (run: Execution) => {
    const file = run.path('spec-for-launcher.json')
    writeFileSync(file, JSON.stringify(run.spec))
    const program = fileURLToPath(new URL('./support/launcher.ts', import.meta.url))
    return spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  }

  test('right after the launch does not disturb the run, nor lose a line of its output', async () => {
    const lines = 300
    const run = await bash(
      `for i in $(seq ${lines}); do echo line $i; [ $i = 100 ] && until [ -e go ]; do sleep 0.02; done; done; exit 7`,
    )
    const caller = startCaller(run)
    await until('launched', async () => String(await once(caller.stdout, 'data')).includes('launched'))
    // The whole group, as Ctrl-C in a terminal would.
    process.kill(-Number(caller.pid), 'SIGKILL')
    await once(caller, 'exit')
    expect(await run.reaches('running')).toMatchObject({ supervised: true })
    await run.touch('go')
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 7 })
    expect(stdout(run)).toBe(Array.from({ length: lines }, (_, i) => `line ${i + 1}\n`).join(''))
  })

  test.for([0, 10, 20, 30, 45, 60, 90, 140])(
    '%i ms into the launch can launch again without a second start',
    async (delay) => {
      const run = await bash('echo started >> starts; sleep 0.2; exit 8')
      const caller = startCaller(run)
      await once(caller.stdout, 'data')
      await setTimeout(delay)
      caller.kill('SIGKILL')
      await once(caller, 'exit')
      await executor.launch(run.spec)
      expect(await run.reaches('exited')).toMatchObject({ exitCode: 8 })
      expect(run.text('starts')).toBe('started\n')
    },
  )
})
