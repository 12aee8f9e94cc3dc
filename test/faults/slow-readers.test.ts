import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RunLogsDocument } from '../../src/generated/operations.ts'
import { seed } from '../support/seed.ts'
import { startServerProcess } from '../support/server-process.ts'
import { connectSubscriber } from '../support/subscriber.ts'
import { until } from '../support/until.ts'
import { scaled, tell } from './support/scale.ts'

const SLOW = scaled(20, 100)
const LINES = scaled(20_000, 100_000)
/** What the server may hold more of memory while nobody of the slow ones reads, in MB. */
const ALLOWED_MB = 200

const memoryMb = (pid: number) => {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(resident) / 1024
}

test('clients that stop reading cost little, hinder nobody, and get everything when they read again', async () => {
  const server = await startServerProcess()
  const sockets = await Promise.all(Array.from({ length: SLOW + 1 }, () => connectSubscriber(server.url)))
  try {
    const given = seed(server.api)
    const script = `
      let n = 0
      const print = () => {
        for (let i = 0; i < 1000; i++) console.log('line ' + ++n + ' ' + 'x'.repeat(100))
        if (n < ${LINES}) setTimeout(print, 20)
      }
      setTimeout(print, 1000)`
    const runId = await given.run({ project: await given.project({ script }) })
    const logs = sockets.map((socket) => socket.subscribe(RunLogsDocument, { runId }))
    await until('the first lines', () => logs.every((log) => log.data.length > 0))
    const before = memoryMb(server.pid())
    let most = before
    for (const socket of sockets.slice(1)) socket.pause()

    const [reading] = logs
    await until('all lines to reach the one who reads', async () => {
      most = Math.max(most, memoryMb(server.pid()))
      return reading?.isOver()
    })
    expect(most - before).toBeLessThan(ALLOWED_MB)
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)

    for (const socket of sockets.slice(1)) socket.resume()
    for (const log of logs) await log.over()
    const expected = Array.from({ length: LINES }, (_, index) => index + 1)
    for (const { data, errorCodes } of logs) {
      expect(errorCodes).toEqual([])
      const lines = data.flatMap(({ runLogs }) => runLogs.lines)
      expect(lines.map((line) => line.seq)).toEqual(expected)
      expect(lines.every((line) => line.message.startsWith(`line ${line.seq} `))).toBe(true)
    }
    tell('Slow readers', {
      'paused sockets': SLOW,
      'lines meanwhile': LINES,
      'memory before, and at most, in MB': `${before.toFixed()}, ${most.toFixed()}`,
    })
  } finally {
    for (const socket of sockets) await socket.close()
    await server.dispose()
  }
})
