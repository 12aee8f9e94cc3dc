import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RunLogDocument, RunLogsDocument, RunMetricsDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  given = seed(app.api)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

/** A run of a Node.js script, once it is over. */
const ranNode = async (script: string) =>
  given.end(await given.run({ project: await given.project({ script }) }))
const messages = async (id: string, source = 'STDOUT') =>
  (await given.log(id)).filter((line) => line.source === source).map((line) => line.message)

describe.concurrent('every byte that a script prints', () => {
  test('a megabyte without a newline is kept in pieces, and what follows is whole', async () => {
    const run = await ranNode(`
      process.stdout.write('x'.repeat(500_000) + 'é'.repeat(250_000) + '\\nnext\\n')`)
    const log = await given.log(run.id)
    const pieces = log.slice(0, -1)
    expect(pieces.map((line) => line.message).join('')).toBe('x'.repeat(500_000) + 'é'.repeat(250_000))
    expect(pieces.map((line) => line.partial)).toEqual([...pieces.slice(1).map(() => true), false])
    expect(log.at(-1)).toMatchObject({ message: 'next', partial: false })
  })

  test('bytes that are no text do no harm to what is', async () => {
    const run = await ranNode(`
      process.stdout.write(Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x0a, 0x63, 0x00, 0x64, 0x0a, 0xe2, 0x82, 0x0a]))
      process.stdout.write('\\u001b[31mred\\u001b[0m "quoted" \\\\ 漢字 😀\\r\\n')`)
    expect(run.status).toBe('SUCCEEDED')
    const [first, second, third, last] = await messages(run.id)
    expect(first).toBe('a\ufffd\ufffdb')
    expect(second).toBe('c\ufffdd')
    expect(third).toBe('\ufffd')
    expect(last).toContain('"quoted" \\ 漢字 😀')
  })

  test('a last line without its newline is a line', async () => {
    const run = await ranNode(`process.stdout.write('first\\nlast'); process.stderr.write('also last')`)
    expect(await messages(run.id)).toEqual(['first', 'last'])
    expect(await messages(run.id, 'STDERR')).toEqual(['also last'])
  })

  test('200,000 lines printed at once are complete and in order', async () => {
    const run = await ranNode(`
      const lines = Array.from({ length: 200_000 }, (_, n) => 'line ' + n)
      require('node:fs').writeSync(1, lines.join('\\n') + '\\n')`)
    expect(run.status).toBe('SUCCEEDED')
    let next = 0
    let last = 0
    for await (const { runLogs } of app.api.watch(RunLogsDocument, { runId: run.id })) {
      for (const line of runLogs.lines) {
        if (line.message !== `line ${next}` || line.seq !== last + 1)
          throw new Error(`${next}: ${JSON.stringify(line)}`)
        next++
        last = line.seq
      }
    }
    expect(next).toBe(200_000)
    const page = await app.api.send(RunLogDocument, { id: run.id, last: 1 })
    expect(page.run?.logs).toMatchObject({
      totalCount: 200_000,
      edges: [{ node: { message: 'line 199999' } }],
    })
  })
})

describe.concurrent('what a script prints is understood', () => {
  test('progress bars on stderr move the progress while they are drawn', async () => {
    const project = await given.project({
      script: `
        let n = 0
        const draw = () => process.stderr.write('\\r ' + n + '%|' + '█'.repeat(n / 10).padEnd(10) + '| ' + n + '/100 [00:01<00:09, 10.0it/s]')
        const timer = setInterval(() => { n = Math.min(40, n + 1); draw() }, 10)
        process.on('SIGTERM', () => { clearInterval(timer); process.stderr.write('\\n'); process.exit(0) })`,
    })
    const id = await given.run({ project })
    const half = await given.when(id, 'at 40 %', (run) => run.progress === 0.4)
    expect(half).toMatchObject({ step: 40, totalSteps: 100 })
    await given.cancel(id)
    await given.end(id)
    // Of a bar that was overwritten again and again, the log keeps what a terminal shows.
    expect(await messages(id, 'STDERR')).toHaveLength(1)
  })

  test("the dicts of Hugging Face's Trainer are metrics", async () => {
    const run = await ranNode(`
      console.log("{'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 5e-05, 'epoch': 0.5}")
      console.log("{'loss': '1.5', 'grad_norm': '0.75', 'learning_rate': '2.5e-05', 'epoch': '1.0'}")
      console.log("{'eval_loss': 1.75, 'eval_runtime': 3.5, 'epoch': 1.0}")
      console.log("{'train_runtime': 12.5, 'train_loss': 2.0, 'epoch': 1.0}")`)
    const values = Object.fromEntries(run.metrics.map((metric) => [metric.key, metric.value]))
    expect(values).toMatchObject({
      loss: 1.5,
      grad_norm: 0.75,
      learning_rate: 2.5e-5,
      eval_loss: 1.75,
      train_loss: 2,
    })
    expect(run.epoch).toBe(1)
  })

  test('NaN and infinities are kept and named', async () => {
    const run = await ranNode(`
      console.log("{'loss': nan, 'step': 1}")
      console.log('{"step": 2, "loss": 0.5, "grad_norm": Infinity}')
      console.log("{'loss': '-inf', 'step': 3}")`)
    expect(run.metrics).toContainEqual({
      key: 'grad_norm',
      step: 2,
      value: Number.MAX_VALUE,
      nonFinite: 'INFINITY',
    })
    expect(run.metrics).toContainEqual({
      key: 'loss',
      step: 3,
      value: -Number.MAX_VALUE,
      nonFinite: 'NEGATIVE_INFINITY',
    })
    const points = []
    for await (const { runMetrics } of app.api.watch(RunMetricsDocument, { runId: run.id, keys: ['loss'] })) {
      points.push(...runMetrics.points)
    }
    expect(points.map((point) => [point.step, point.value])).toEqual([
      [1, 0],
      [2, 0.5],
      [3, -Number.MAX_VALUE],
    ])
  })

  test('numbers arrive with all of their digits', async () => {
    const numbers = [
      0.1 + 0.2,
      1 / 3,
      5e-324,
      Number.MAX_VALUE,
      1e21,
      123456789.12345679,
      -2.2250738585072014e-308,
    ]
    const run = await ranNode(`
      for (const [step, loss] of ${JSON.stringify(numbers)}.entries()) console.log(JSON.stringify({ step, loss }))`)
    const points = []
    for await (const { runMetrics } of app.api.watch(RunMetricsDocument, { runId: run.id })) {
      points.push(...runMetrics.points)
    }
    expect(points.map((point) => point.value)).toEqual(numbers)
  })

  test('a metric with an impossible name does not stop the run from being recorded', async () => {
    const run = await ranNode(String.raw`
      console.log('{"step": 1, "loss": 1, "od\\ud800d": 2, "n\\u0000l": 3}')
      console.log('{"step": 2, "loss": 0.5}')`)
    expect(run.status).toBe('SUCCEEDED')
    expect(run.metrics.map((metric) => [metric.key, metric.value])).toEqual(
      expect.arrayContaining([
        ['loss', 0.5],
        ['od\ufffdd', 2],
        ['n\ufffdl', 3],
      ]),
    )
  })
})
