import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TagArtifactDocument } from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { numbers } from '../support/counter.ts'
import { endRuns } from '../support/end-runs.ts'
import { isRunning } from '../support/processes.ts'
import { type RunState, seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from './support/agent.ts'

let app: TestApp
let agent: AgentProcess
let folder: string
let given: ReturnType<typeof seed>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  app = await startTestApp()
  given = seed(app.api)
  const { token } = await agentTokenOf(app.api)
  agent = await createAgentProcess({
    server: app.url,
    token,
    name: 'gpu-1',
    args: ['--max-runs', '10', '--working-dir', folder],
  })
  await agent.start()
})
afterAll(async () => {
  await endRuns(app.api)
  await agent.dispose()
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

const placement = { node: 'gpu-1' }
const artifactsOf = (run: RunState) => run.artifacts.edges.map(({ node }) => node)

/** Starts this Node.js program on the other machine. */
async function start(script: string, args: string[] = [], input: { dataset?: string } = {}): Promise<string> {
  const project = await given.project({ command: [process.execPath, '-e', script, ...args] })
  return given.run({ project, placement, ...input })
}

async function linesOf(id: string, source = 'STDOUT'): Promise<string[]> {
  const log = await given.log(id)
  return log.filter((line) => line.source === source).map(({ message }) => message)
}

test('a run on another machine has its lines once and in order, its metrics and its end', async () => {
  const id = await start(`
    for (let n = 1; n <= 500; n++) {
      console.log('line ' + n)
      if (n % 10 === 0) console.log(JSON.stringify({ step: n, loss: 1 / n }))
      if (n % 7 === 0) console.error('every seventh ' + n)
    }
    console.log(process.env.TRAINYARD_API_URL, process.cwd())
    process.exitCode = 3`)

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'FAILED', exitCode: 3, step: 500 })
  expect(run.statusReason).toContain('every seventh 497')
  expect(run.metrics).toMatchObject([{ key: 'loss', value: 1 / 500, step: 500 }])
  const stdout = await linesOf(id)
  expect(stdout.filter((line) => line.startsWith('line '))).toEqual(numbers(500).map((n) => `line ${n}`))
  expect(stdout.at(-1)).toBe(`${app.url}/graphql ${folder}`)
  expect(await linesOf(id, 'STDERR')).toEqual(numbers(71).map((n) => `every seventh ${n * 7}`))
  await until('nothing of it to be left on the node', async () => (await agent.executions()).length === 0)
})

test('10 MB of output arrive whole, the last line without its newline included', async () => {
  const id = await start(`
    const { writeSync } = require('node:fs')
    const write = (text) => { for (let b = Buffer.from(text); b.length > 0; ) b = b.subarray(writeSync(1, b)) }
    for (let n = 1; n <= 10_000; n++) write('line ' + n + ' ' + 'x'.repeat(1000) + '\\n')
    write('the end')`)
  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0 })
  const lines = await linesOf(id)
  expect(lines).toHaveLength(10_001)
  expect(lines.slice(0, -1).map((line) => Number(line.split(' ')[1]))).toEqual(numbers(10_000))
  expect(new Set(lines.slice(0, -1).map((line) => line.split(' ')[2])).size).toBe(1)
  expect(lines.at(-1)).toBe('the end')
})

test('dataset and configuration come down, results come up, and another run resumes from a checkpoint', async () => {
  await given.dataset('two', { 'train.jsonl': '{"a":1}\n', 'test.jsonl': '{"a":2}\n' }, 'steps: 10\n')
  const script = `
    const { mkdirSync, readFileSync, writeFileSync, readdirSync } = require('node:fs')
    const { TRAINYARD_CONFIG, TRAINYARD_DATASET, TRAINYARD_OUTPUT_DIR: out, TRAINYARD_RESUME_FROM: from } = process.env
    const [, config, dataset, resumed] = process.argv
    if (config !== '--config=' + TRAINYARD_CONFIG || dataset !== TRAINYARD_DATASET) process.exit(5)
    console.log(readFileSync(TRAINYARD_CONFIG, 'utf8').trim())
    console.log(readdirSync(dataset).map((name) => readFileSync(dataset + '/' + name, 'utf8').trim()).join(' '))
    writeFileSync(TRAINYARD_CONFIG, 'scribbled')
    if (from) {
      console.log('resumed', resumed === from, readFileSync(from + '/weights.bin', 'utf8'))
      process.exit(0)
    }
    mkdirSync(out + '/checkpoint-10/deep', { recursive: true })
    writeFileSync(out + '/checkpoint-10/weights.bin', 'weights')
    writeFileSync(out + '/checkpoint-10/same.bin', 'weights')
    writeFileSync(out + '/checkpoint-10/deep/empty.json', '')
    writeFileSync(out + '/eval_results.json', '{"accuracy": 1}')`
  const command = [process.execPath, '-e', script, '--', '--config={config}', '{dataset}']
  const project = await given.project({ command, resumeArgs: ['{checkpoint}'], datasetName: 'two' })
  const id = await given.run({ project, placement, hyperparameters: { lr: 0.5 } })

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'SUCCEEDED', canResume: true })
  expect(await linesOf(id)).toEqual(['steps: 10', 'lr: 0.5', '{"a":2} {"a":1}'])
  expect(artifactsOf(run)).toMatchObject([
    { name: 'eval_results.json', type: 'EVALUATION', sizeBytes: 15, isFolder: false },
    { name: 'checkpoint-10', type: 'CHECKPOINT', step: 10, sizeBytes: 14, isFolder: true },
  ])
  const brought = join(app.dataDir, 'runs', id, 'output', 'checkpoint-10')
  expect((await readdir(brought, { recursive: true })).sort()).toEqual([
    'deep',
    'deep/empty.json',
    'same.bin',
    'weights.bin',
  ])

  const next = await given.resume({ runId: id })
  expect(await given.end(next)).toMatchObject({ status: 'SUCCEEDED' })
  expect((await linesOf(next)).slice(-2)).toEqual(['{"a":2} {"a":1}', 'resumed true weights'])
})

test('a checkpoint arrives while the training goes on; one that is deleted goes, unless it is tagged', async () => {
  const script = `
    const { existsSync, mkdirSync, rmSync, writeFileSync } = require('node:fs')
    const out = process.env.TRAINYARD_OUTPUT_DIR
    for (const step of [1, 2]) {
      mkdirSync(out + '/checkpoint-' + step)
      writeFileSync(out + '/checkpoint-' + step + '/weights.bin', 'step ' + step)
    }
    const timer = setInterval(() => {
      if (existsSync(process.argv[1] + '-delete')) rmSync(out, { recursive: true, force: true })
      if (existsSync(process.argv[1] + '-end')) clearInterval(timer)
    }, 20)`
  const orders = join(folder, 'checkpoints')
  const id = await start(script, [orders])
  const run = await given.when(id, 'bringing its checkpoints', ({ artifacts }) => artifacts.totalCount === 2)
  expect(run.status).toBe('RUNNING')
  const [first] = artifactsOf(run).filter(({ name }) => name === 'checkpoint-1')
  await app.api.send(TagArtifactDocument, { input: { artifactId: first?.id ?? '', value: 'CANDIDATE' } })

  await writeFile(`${orders}-delete`, '')
  await given.when(id, 'rid of one', ({ artifacts }) => artifacts.totalCount === 1)
  await writeFile(`${orders}-end`, '')

  const end = await given.end(id)
  expect(artifactsOf(end).map(({ name }) => name)).toEqual(['checkpoint-1'])
  const kept = join(app.dataDir, 'runs', id, 'output', 'checkpoint-1', 'weights.bin')
  expect(await readFile(kept, 'utf8')).toBe('step 1')
})

test('a file whose name becomes that of a folder makes way for what is in there', async () => {
  const script = `
    const { existsSync, mkdirSync, rmSync, writeFileSync } = require('node:fs')
    const path = process.env.TRAINYARD_OUTPUT_DIR + '/metrics.json'
    writeFileSync(path, '{}')
    const timer = setInterval(() => {
      if (!existsSync(process.argv[1])) return
      rmSync(path)
      mkdirSync(path)
      writeFileSync(path + '/final.json', '{"done":true}')
      clearInterval(timer)
    }, 20)`
  const goOn = join(folder, 'make-way')
  const id = await start(script, [goOn])
  await given.when(id, 'bringing the file', ({ artifacts }) => artifacts.totalCount === 1)
  await writeFile(goOn, '')

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'SUCCEEDED' })
  expect(artifactsOf(run).map(({ name }) => name)).toEqual(['metrics.json/final.json'])
})

test('a cancel reaches the process, which saves a checkpoint in its grace', async () => {
  const script = `
    process.on('SIGTERM', () => {
      const { mkdirSync, writeFileSync } = require('node:fs')
      const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-5'
      setTimeout(() => {
        mkdirSync(folder)
        writeFileSync(folder + '/weights.bin', 'saved')
        process.exit(9)
      }, 300)
    })
    console.log('pid ' + process.pid)
    setInterval(() => {}, 1000)`
  const id = await start(script)
  const [said] = await until('its pid', async () => (await linesOf(id)).length > 0 && linesOf(id))
  await given.cancel(id, 20)

  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'CANCELLED', exitCode: 9, statusReason: 'Cancelled.', canResume: true })
  expect(artifactsOf(run)).toMatchObject([{ name: 'checkpoint-5', sizeBytes: 5 }])
  expect(isRunning(Number(said?.split(' ')[1]))).toBe(false)
})

test('what does not end within its grace is killed', async () => {
  const id = await start(`process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)`)
  await until('it to be ready', async () => (await linesOf(id)).length > 0)
  await given.cancel(id, 0.5)
  const run = await given.end(id)
  expect(run).toMatchObject({ status: 'CANCELLED' })
  expect(run.statusReason).toContain('was killed')
})

test('a program that the node does not have fails the run with the reason', async () => {
  const id = await given.run({ project: await given.project({ command: ['no-such-program'] }), placement })
  expect(await given.end(id)).toMatchObject({
    status: 'FAILED',
    statusReason: expect.stringContaining('command not found: no-such-program'),
  })
})

test('the disk of the node is rid of a run when it is over, and keeps its dataset for the next', async () => {
  await given.dataset('once', { 'train.jsonl': '{"once":1}\n' })
  const script = `console.log(require('node:fs').readFileSync(process.env.TRAINYARD_DATASET, 'utf8'))`
  const project = await given.project({ script, datasetName: 'once' })
  const read = async () => {
    const id = await given.run({ project, placement })
    expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED' })
    expect((await linesOf(id))[0]).toBe('{"once":1}')
  }
  await read()
  await read()
  await rm(join(agent.dataDir, 'cache'), { recursive: true })
  await read()
  await until('nothing of them to be left', async () => (await agent.executions()).length === 0)
  const cached = await readdir(join(agent.dataDir, 'cache'))
  expect(cached.every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true)
  expect(existsSync(join(agent.dataDir, 'installation.json'))).toBe(true)
})
