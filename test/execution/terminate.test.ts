import { readdirSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { until } from '../support/until.ts'
import { bash, cleanUp, type Execution, executor } from './support/executions.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

afterEach(cleanUp)

/** Longer than any test takes: a deadline that must not play a part. */
const LONG = 600

const WAIT = 'while :; do sleep 0.02; done'

async function launched(script: string): Promise<Execution> {
  const run = await bash(script)
  await run.launch()
  await until('the script is ready', () => run.has('ready'))
  return run
}

describe('terminating', () => {
  test('lets a script save its state within the grace', async () => {
    // What saves is started after the signal and must not get one itself.
    const save = `bash -c "sleep 0.3 && echo saved > checkpoint"`
    const run = await launched(`trap '${save}; exit 0' TERM; echo > ready; ${WAIT}`)
    await run.terminate(LONG)
    const report = await run.reaches('exited')
    expect(report).toMatchObject({ exitCode: 0, signal: null })
    expect(report.cleanup).toEqual({ killed: false, unfinishedFiles: [] })
    expect(report.termination?.requestedAt.getTime()).toBeLessThanOrEqual(report.endedAt.getTime())
    expect(run.text('checkpoint')).toBe('saved\n')
  })

  test('ends a script that does nothing about it, with its children', async () => {
    const run = await launched('sleep 1000 & sleep 1001 & echo > ready; wait')
    await run.terminate(LONG)
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGTERM', cleanup: { killed: false } })
    expect(await run.processes()).toEqual([])
  })

  test('kills a script that ignores it, and names the files that it was writing', async () => {
    const run = await launched(
      `trap '' TERM; echo x > whole; exec 3> half 4< whole; echo x >&3; echo > ready; ${WAIT}`,
    )
    await run.terminate(0.3)
    expect(await run.reaches('exited')).toMatchObject({
      exitCode: null,
      signal: 'SIGKILL',
      termination: { requestedAt: expect.any(Date) },
      cleanup: { killed: true, unfinishedFiles: [run.path('half')] },
    })
    expect(await run.processes()).toEqual([])
  })

  test('finds a grandchild that left the session and lost its parent', async () => {
    const run = await launched(`(setsid bash -c 'echo $$ > ready; ${WAIT}' &) ; ${WAIT}`)
    const pid = Number(await until('its id', () => run.text('ready').trim()))
    expect(await run.processes()).toContain(pid)
    await run.terminate(LONG)
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGTERM', cleanup: { killed: false } })
    expect(await run.processes()).toEqual([])
  })

  test('finds what was started with a clean environment', async () => {
    const run = await launched(`env -i sleep 1000 & echo > ready; wait`)
    await run.terminate(LONG)
    await run.reaches('exited')
    expect(await run.processes()).toEqual([])
  })

  test('kills a grandchild that left the session and ignores SIGTERM', async () => {
    const run = await launched(`(setsid bash -c 'trap "" TERM; echo > ready; ${WAIT}' &) ; ${WAIT}`)
    await run.terminate(0.3)
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGTERM', cleanup: { killed: true } })
    expect(await run.processes()).toEqual([])
  })

  test.for([
    ['within its session', 'hop &'],
    ['each in a session of its own', 'exec setsid bash -c "$program" &'],
  ])('catches processes that fork and end all the time, %s', async ([, next]) => {
    // Not for ever, so that no test can fill the table of processes.
    const program = `hop() { ((++n < 300)) && [ -e ready ] && ${next}
      }; hop`
    const script = `export n=0 program='${program}'; echo > ready; for i in 1 2 3; do bash -c "$program"; done; ${WAIT}`
    for (let round = 0; round < 3; round++) {
      const run = await launched(script)
      await run.terminate(0)
      await run.reaches('exited')
      expect(await run.processes()).toEqual([])
    }
  })

  test('reaches a script that is stopped', async () => {
    const run = await launched(`trap 'echo > saved; exit 0' TERM; echo > ready; kill -STOP $$; ${WAIT}`)
    await run.terminate(LONG)
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 0 })
    expect(run.has('saved')).toBe(true)
  })

  test('sends SIGTERM once, and a request for an earlier end shortens the grace', async () => {
    const run = await launched(`trap 'echo term >> signals' TERM; echo > ready; ${WAIT}`)
    await run.terminate(LONG)
    await until('the first signal', () => run.has('signals'))
    await run.terminate(LONG * 2)
    await run.terminate(2)
    expect(await run.inspect()).toMatchObject({ state: 'running', supervised: true })
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGKILL', cleanup: { killed: true } })
    expect(run.text('signals')).toBe('term\n')
  })

  test('sends SIGTERM once to what outlives the command, which then has the rest of the grace', async () => {
    const run = await launched(
      `(trap 'echo term >> signals' TERM; echo > ready; until [ -e signals ]; do sleep 0.02; done
        for i in $(seq 30); do sleep 0.02; done) & wait`,
    )
    await run.terminate(LONG)
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGTERM', cleanup: { killed: false } })
    expect(run.text('signals')).toBe('term\n')
  })

  test('with no grace kills at once, after a request with a long one', async () => {
    const run = await launched(`trap '' TERM; echo > ready; ${WAIT}`)
    await Promise.all([run.terminate(LONG), run.terminate(0), run.terminate(LONG)])
    expect(await run.reaches('exited')).toMatchObject({ signal: 'SIGKILL' })
  })

  test('counts from the first request', async () => {
    const run = await launched(`trap '' TERM; echo > ready; ${WAIT}`)
    const before = Date.now()
    await run.terminate(LONG)
    const after = Date.now()
    await run.terminate(0)
    const requestedAt = (await run.reaches('exited')).termination?.requestedAt.getTime()
    expect(requestedAt).toBeGreaterThanOrEqual(before)
    expect(requestedAt).toBeLessThanOrEqual(after)
  })

  test('before the launch prevents the start', async () => {
    const run = await bash('echo > started')
    await run.terminate(LONG)
    expect(await run.inspect()).toEqual({ state: 'absent' })
    await run.launch()
    expect((await run.reaches('withdrawn')).termination.requestedAt).toBeInstanceOf(Date)
    expect(run.has('started')).toBe(false)
  })

  test('at the moment of the launch gives one honest end', async () => {
    const run = await bash(`trap 'exit 0' TERM; echo > started; ${WAIT}`)
    await Promise.all([run.launch(), run.terminate(LONG)])
    const report = await until('it is over', async () => {
      const now = await run.inspect()
      return now.state === 'withdrawn' || now.state === 'exited' ? now : null
    })
    expect(report.termination).not.toBeNull()
    if (report.state === 'withdrawn') expect(run.has('started')).toBe(false)
    expect(await run.processes()).toEqual([])
  })

  test('after the end changes nothing', async () => {
    const run = await bash('exit 3')
    await run.launch()
    const report = await run.reaches('exited')
    const files = readdirSync(run.directory)
    await run.terminate(0)
    expect(await run.inspect()).toEqual(report)
    expect(readdirSync(run.directory)).toEqual(files)
  })
})

describe('signals to the supervisor', () => {
  test('SIGTERM without a request, as at shutdown, terminates the run', async () => {
    const run = await launched(`trap 'exit 0' TERM; echo > ready; ${WAIT}`)
    process.kill(await run.supervisorPid(), 'SIGTERM')
    const report = await run.reaches('exited')
    expect(report).toMatchObject({ exitCode: 0, cleanup: { killed: false } })
    expect(report.termination).not.toBeNull()
  })

  test('SIGINT and SIGHUP, as from a terminal, do not', async () => {
    const run = await launched('echo > ready; until [ -e go ]; do sleep 0.02; done; exit 9')
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGINT'] as const) {
      process.kill(await run.supervisorPid(), signal)
    }
    await run.touch('go')
    expect(await run.reaches('exited')).toMatchObject({ exitCode: 9, termination: null })
  })
})

test('files being written are told while they are, and the logs are not among them', async () => {
  const run = await launched(
    `exec 3> half; echo > ready; until [ -e go ]; do sleep 0.02; done; exec 3>&-; echo > closed; ${WAIT}`,
  )
  expect(await executor.filesBeingWritten(run.directory)).toEqual([run.path('half')])
  await run.touch('go')
  await until('it is closed', () => run.has('closed'))
  expect(await executor.filesBeingWritten(run.directory)).toEqual([])
})
