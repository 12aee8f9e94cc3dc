import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunLogsDocument } from '../../../src/generated/operations.ts'
import { COUNTER, numbers } from '../../support/counter.ts'
import { isRunning } from '../../support/processes.ts'
import { seed } from '../../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { connectSubscriber, type Subscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'

let server: ServerProcess
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  server = await startServerProcess({ TRAINYARD_MAX_CONCURRENT_RUNS: '20' })
  given = seed(server.api)
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterAll(async () => {
  await server.dispose()
  await rm(folder, { recursive: true, force: true })
})

test('a run goes on through two kill -9 of the server, and its log is whole for every reader', async () => {
  const end = join(folder, 'counter-may-end')
  const project = await given.project({ command: [process.execPath, '-e', COUNTER, end] })
  const id = await given.run({ project })
  const pid = await pidOf(id)
  const watcher = watchThroughRestarts(id)

  for (const _ of [1, 2]) {
    const seen = watcher.seqs.length
    await until('the watcher to see more', () => watcher.seqs.length > seen + 20)
    await server.kill('SIGKILL')
    expect(isRunning(pid)).toBe(true)
    await server.start()
    const startedAt = Date.now()
    const adopted = await given.state(id)
    expect(adopted.status).toBe('RUNNING')
    const [last] = (await given.log(id)).slice(-1)
    await until('new lines', async () => ((await given.log(id)).at(-1)?.seq ?? 0) > (last?.seq ?? 0))
    expect(Date.now() - startedAt).toBeLessThan(5000)
    expect(isRunning(pid)).toBe(true)
  }
  await writeFile(end, '')
  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0, statusReason: null })

  const log = await given.log(id)
  const total = Number(
    /counted to (\d+)/.exec(log.findLast((line) => line.source === 'STDOUT')?.message ?? '')?.[1],
  )
  expect(log.map((line) => line.seq)).toEqual(numbers(log.length))
  expect(log.filter((line) => line.source === 'STDOUT').map((line) => line.message)).toEqual([
    `pid ${pid}`,
    ...numbers(total).map((n) => `line ${n}`),
    `counted to ${total}`,
  ])
  expect(log.filter((line) => line.source === 'STDERR').map((line) => line.message)).toEqual(
    numbers(Math.floor(total / 7)).map((n) => `every seventh ${n * 7}`),
  )
  await watcher.done
  expect(watcher.seqs).toEqual(numbers(log.length))
})

test('a run that ends while the server is down has its true exit code and end time', async () => {
  const end = join(folder, 'sleeper-may-end')
  const script = `echo 'out of tune' >&2; until [ -e "$0" ]; do sleep 0.02; done; exit 7`
  const id = await given.run({ project: await given.project({ command: ['bash', '-c', script, end] }) })
  await until('its last words', async () => (await given.log(id)).length > 0)

  await server.kill('SIGKILL')
  const before = Date.now()
  await writeFile(end, '')
  await until('its end to be written down', () => existsSync(exitRecord(id)))
  const after = Date.now()
  await server.start()

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'FAILED', exitCode: 7 })
  expect(run.statusReason).toContain('out of tune')
  expect(Date.parse(run.finishedAt ?? '')).toBeGreaterThanOrEqual(before)
  expect(Date.parse(run.finishedAt ?? '')).toBeLessThanOrEqual(after)
})

test('a cancel that was accepted right before a kill -9 is carried out, and what was saved is kept', async () => {
  const script = `
    trap 'sleep 0.3; mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-5"; echo saved > "$TRAINYARD_OUTPUT_DIR/checkpoint-5/weights.bin"; exit 9' TERM
    echo ready; while :; do sleep 0.02; done`
  const id = await given.run({ project: await given.project({ command: ['bash', '-c', script] }) })
  await until('the script to be ready', async () => (await given.log(id)).length > 0)

  await given.cancel(id)
  await server.kill('SIGKILL')
  await server.start()

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'CANCELLED', exitCode: 9, canResume: true })
  expect(run.artifacts.edges.map((edge) => edge.node.name)).toEqual(['checkpoint-5'])
})

test('a server that is asked to stop leaves its trainings alone, and the next one takes them up', async () => {
  const end = join(folder, 'stopped-may-end')
  const project = await given.project({ command: [process.execPath, '-e', COUNTER, end] })
  const id = await given.run({ project })
  const pid = await pidOf(id)

  expect(await server.kill('SIGTERM')).toBe(0)
  expect(isRunning(pid)).toBe(true)
  await server.start()
  await given.when(id, 'running', (run) => run.status === 'RUNNING')
  await writeFile(end, '')

  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
  const stdout = (await given.log(id)).filter((line) => line.source === 'STDOUT').map((line) => line.message)
  expect(stdout.slice(1, -1)).toEqual(numbers(stdout.length - 2).map((n) => `line ${n}`))
})

/** The process id that a script printed first. */
async function pidOf(id: string): Promise<number> {
  const [line] = await until('the script to say its process id', async () => {
    const log = await given.log(id)
    return log.length > 0 && log
  })
  return Number(/^pid (\d+)$/.exec(line?.message ?? '')?.[1])
}

/** What the supervisor of a run writes down at its end. */
function exitRecord(id: string): string {
  return join(server.dataDir, 'runs', id, 'process', 'exit.json')
}

/** Follows a log as a client does: comes back with its last cursor whenever the server goes away. */
function watchThroughRestarts(runId: string) {
  const seqs: number[] = []
  let after: string | null = null

  async function watchOnce(socket: Subscriber): Promise<boolean> {
    const log = socket.subscribe(RunLogsDocument, { runId, after })
    await until('the log or the server to end', () => {
      for (const { runLogs } of log.data.splice(0)) {
        seqs.push(...runLogs.lines.map((line) => line.seq))
        after = runLogs.cursor
      }
      return log.isOver() || !socket.isOpen()
    })
    expect(log.errorCodes).toEqual([])
    return log.isOver()
  }

  async function watch() {
    for (let over = false; !over; ) {
      const socket = await until('the server to be back', () =>
        connectSubscriber(server.url).catch(() => sleep(50, null)),
      )
      over = await watchOnce(socket)
      await socket.close()
    }
  }
  return { seqs, done: watch() }
}
