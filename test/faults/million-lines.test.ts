import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RunLogsDocument } from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { connectSubscriber, type Subscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { scaled, tell } from './support/scale.ts'

const LINES = scaled(100_000, 1_000_000)
const KILLS = scaled(2, 5)
const WATCHERS = scaled(6, 20)
/** How many batches a watcher reads before it leaves for a while; each another number. */
const BATCHES_A_VISIT = 40
/** Far above what all lines take here, in ms. */
const PATIENCE_MS = scaled(120_000, 1_200_000)

/** Somebody who watches a run's log, leaves, and comes back with the cursor of what came last. */
interface Watcher {
  seen: number
  visits: number
  wrong: string | null
  isDone: boolean
}

test(`${LINES} lines of one run reach everyone once and in order, whoever is killed or comes and goes`, async () => {
  const server = await startServerProcess()
  try {
    const given = seed(server.api)
    // Through the callback of each write, so that the process is never faster than its own output.
    const script = `
      let n = 0
      const print = () => {
        let text = ''
        for (let i = 0; i < 1000 && n < ${LINES}; i++) text += 'line ' + ++n + '\\n'
        process.stdout.write(text, () => n < ${LINES} && setTimeout(print, 5))
      }
      print()`
    const runId = await given.run({ project: await given.project({ script }) })
    const everyone = Array.from({ length: WATCHERS }, (_, index) => watch(server, runId, 1 + index))

    for (let kill = 1; kill <= KILLS; kill++) {
      const reached = (LINES / (KILLS + 1)) * kill
      await until(
        `somebody to have seen line ${reached}`,
        () => everyone.some(({ watcher }) => watcher.seen >= reached),
        PATIENCE_MS,
      )
      await server.kill('SIGKILL')
      await server.start()
    }
    await Promise.all(everyone.map(({ done }) => done))

    for (const { watcher } of everyone) expect([watcher.wrong, watcher.seen]).toEqual([null, LINES])
    expect(await given.end(runId)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
    const latecomer = watch(server, runId, Number.POSITIVE_INFINITY)
    await latecomer.done
    expect([latecomer.watcher.wrong, latecomer.watcher.seen]).toEqual([null, LINES])
    tell('A million lines', {
      lines: LINES,
      'kills of the server': KILLS,
      watchers: WATCHERS,
      'visits of theirs': everyone.reduce((sum, { watcher }) => sum + watcher.visits, 0),
      'lines lost, repeated or out of order': 0,
    })
  } finally {
    await server.dispose()
  }
})

/** Watches until the log is over, in visits of `batches` messages each. */
function watch(
  server: ServerProcess,
  runId: string,
  each: number,
): { watcher: Watcher; done: Promise<void> } {
  const watcher: Watcher = { seen: 0, visits: 0, wrong: null, isDone: false }
  let cursor: string | undefined

  async function visit(socket: Subscriber) {
    watcher.visits++
    const log = socket.subscribe(RunLogsDocument, { runId, after: cursor })
    const leaveAfter = each * BATCHES_A_VISIT
    for (let batches = 0; batches < leaveAfter && socket.isOpen(); ) {
      const isOver = log.isOver()
      for (const { runLogs } of log.data.splice(0)) {
        batches++
        cursor = runLogs.cursor
        for (const { seq, message } of runLogs.lines) check(seq, message)
      }
      if (log.errorCodes.length > 0) watcher.wrong ??= `error ${log.errorCodes}`
      if (isOver || watcher.wrong !== null) {
        watcher.isDone = isOver || watcher.wrong !== null
        return
      }
      await sleep(10)
    }
  }

  function check(seq: number, message: string) {
    const next = watcher.seen + 1
    if (seq !== next || message !== `line ${next}`)
      watcher.wrong ??= `line ${seq} (${message}) instead of ${next}`
    watcher.seen = seq
  }

  async function watchOn() {
    while (!watcher.isDone) {
      // Between two servers there is nobody to connect to.
      const socket = await connectSubscriber(server.url).catch(() => null)
      if (socket) await visit(socket).finally(() => socket.close())
      else await sleep(50)
    }
  }
  return { watcher, done: watchOn() }
}
