import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  RunLogsDocument,
  RunMetricsDocument,
  RunUpdatedDocument,
  TagArtifactDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

/** Counts steps, saves checkpoints, saves another on SIGTERM, and continues from one. */
const TRAINER = `
  const fs = require('node:fs')
  const path = require('node:path')
  const config = fs.readFileSync(process.env.TRAINYARD_CONFIG, 'utf8')
  const read = (key) => Number(new RegExp(key + ': *([0-9.e-]+)').exec(config)[1])
  const rows = fs.readFileSync(process.env.TRAINYARD_DATASET, 'utf8').trim().split('\\n').length
  let step = 0
  if (process.env.TRAINYARD_RESUME_FROM) {
    step = JSON.parse(fs.readFileSync(path.join(process.env.TRAINYARD_RESUME_FROM, 'state.json'))).step
    console.log('resuming at step ' + step)
  }
  const save = () => {
    const folder = path.join(process.env.TRAINYARD_OUTPUT_DIR, 'checkpoint-' + step)
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'state.json'), JSON.stringify({ step }))
    fs.writeFileSync(path.join(folder, 'weights.bin'), Buffer.alloc(1000, step))
  }
  process.on('SIGTERM', () => { save(); process.exit(143) })
  const total = read('max_steps')
  const timer = setInterval(() => {
    step++
    console.log(JSON.stringify({ step, max_steps: total, loss: rows / step, lr: read('learning_rate') }))
    if (step % 10 === 0) save()
    if (step >= total) { fs.writeFileSync(path.join(process.env.TRAINYARD_OUTPUT_DIR, 'eval_results.json'), '{"accuracy":1}'); clearInterval(timer) }
  }, 10)
`

test('a run trains, is watched live, cancelled with its checkpoint kept, resumed with overrides, and tagged', async () => {
  const given = seed(app.api)
  await given.dataset(
    'numbers',
    { 'train.jsonl': '{"a":1}\n{"a":2}\n' },
    'learning_rate: 0.5 # fast\nmax_steps: 100000\n',
  )
  const project = await given.project({
    datasetName: 'numbers',
    trainConfigName: 'train.yaml',
    script: TRAINER,
    defaultHyperparameters: { learning_rate: 0.25 },
  })

  const first = await given.run({ project })
  const statuses: string[] = []
  const updates = (async () => {
    for await (const { runUpdated } of app.api.watch(RunUpdatedDocument, { runId: first })) {
      if (statuses.at(-1) !== runUpdated.status) statuses.push(runUpdated.status)
    }
  })()
  const lines: number[] = []
  const logs = (async () => {
    for await (const { runLogs } of app.api.watch(RunLogsDocument, { runId: first })) {
      lines.push(...runLogs.lines.map((line) => line.seq))
    }
  })()
  const points: { step: number; value: number }[] = []
  const metrics = (async () => {
    for await (const { runMetrics } of app.api.watch(RunMetricsDocument, { runId: first, keys: ['loss'] })) {
      points.push(...runMetrics.points)
    }
  })()

  await given.when(
    first,
    'past step 25 with a checkpoint',
    (run) => (run.step ?? 0) > 25 && run.artifacts.totalCount > 0,
  )
  await given.cancel(first)
  const cancelled = await given.end(first)
  await Promise.all([updates, logs, metrics])

  expect(cancelled).toMatchObject({
    status: 'CANCELLED',
    statusLabel: '已取消',
    exitCode: 143,
    canResume: true,
    canCancel: false,
  })
  expect(statuses.slice(-3)).toEqual(['RUNNING', 'CANCELLING', 'CANCELLED'])
  const lastStep = cancelled.step ?? 0
  const artifacts = cancelled.artifacts.edges.map((edge) => edge.node)
  expect(artifacts.map((artifact) => artifact.name)).toContain(`checkpoint-${lastStep}`)
  expect(
    artifacts.every((artifact) => artifact.type === 'CHECKPOINT' && (artifact.sizeBytes ?? 0) > 1000),
  ).toBe(true)
  expect(points.map((point) => point.step)).toEqual(Array.from({ length: lastStep }, (_, index) => index + 1))
  expect(points.at(-1)?.value).toBe(2 / lastStep)
  expect(lines).toEqual(Array.from({ length: lines.length }, (_, index) => index + 1))
  expect(cancelled.metrics).toContainEqual({ key: 'lr', value: 0.25, nonFinite: null, step: lastStep })

  const second = await given.resume({
    runId: first,
    hyperparameters: { learning_rate: 0.125, max_steps: lastStep + 15 },
  })
  const finished = await given.end(second)
  expect(finished).toMatchObject({ status: 'SUCCEEDED', exitCode: 0, progress: 1, step: lastStep + 15 })
  expect(finished.resumedFrom).toMatchObject({ name: `checkpoint-${lastStep}`, run: { id: first } })
  expect(finished.metrics).toContainEqual({ key: 'lr', value: 0.125, nonFinite: null, step: lastStep + 15 })
  const log = await given.log(second)
  expect(log[0]).toMatchObject({ message: `resuming at step ${lastStep}`, source: 'STDOUT', seq: 1 })

  const evaluation = finished.artifacts.edges
    .map((edge) => edge.node)
    .find((artifact) => artifact.type === 'EVALUATION')
  const downloaded = await fetch(evaluation?.downloadUrl ?? '')
  expect(await downloaded.text()).toBe('{"accuracy":1}')
  const checkpoint = finished.artifacts.edges.map((edge) => edge.node).find((artifact) => artifact.isFolder)
  const archive = Buffer.from(await (await fetch(checkpoint?.downloadUrl ?? '')).arrayBuffer())
  expect(createHash('sha256').update(archive).digest('hex')).toBe(checkpoint?.sha256)

  const { tagArtifact } = await app.api.send(TagArtifactDocument, {
    input: { artifactId: checkpoint?.id ?? '', value: 'RELEASE', notes: 'good' },
  })
  expect(tagArtifact).toMatchObject({ tags: [{ value: 'RELEASE', label: '发布', notes: 'good' }] })
})
