import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  type ResumeRunInput,
  RunTryResumeDocument,
  RunTryStartDocument,
  type StartRunInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  given = seed(app.api)
  await given.dataset(
    'single',
    { 'train.jsonl': '{"a":1}\n' },
    'optimizer:\n  lr: 0.5 # fast\n  name: sgd\nsteps: 10\n',
  )
  await given.dataset('several', { 'train.jsonl': '{"a":1}\n', 'test.jsonl': '{"a":2}\n' })
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const start = async (input: StartRunInput) => (await app.api.send(RunTryStartDocument, { input })).startRun
const resume = async (input: ResumeRunInput) =>
  (await app.api.send(RunTryResumeDocument, { input })).resumeRun

/** Prints what it was started with as one line of JSON, and saves what it is told to as checkpoints. */
const REPORTER = `
  const fs = require('node:fs')
  const path = require('node:path')
  const { env, argv, cwd } = process
  for (const name of (argv[1] ?? '').split(',').filter(Boolean)) {
    const folder = path.join(env.TRAINYARD_OUTPUT_DIR, name)
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'weights.bin'), name)
  }
  console.log(JSON.stringify({ env, args: argv.slice(1), cwd: cwd() }))`
const reporter = (...args: string[]) => [process.execPath, '-e', REPORTER, ...args]

interface Report {
  env: Record<string, string>
  args: string[]
  cwd: string
}

/** What a run of the reporter says it was started with. */
async function reportOf(runId: string): Promise<Report> {
  const run = await given.end(runId)
  if (run.status !== 'SUCCEEDED') throw new Error(JSON.stringify(run))
  const [line] = await given.log(runId)
  return JSON.parse(line?.message ?? '')
}

describe.concurrent('the process of a run', () => {
  test('gets what it needs in its environment, and no secret of the server', async () => {
    process.env.TRAINYARD_ADMIN_PASSWORD = 'not-for-runs'
    process.env.SOME_CLOUD_SECRET = 'neither'
    const project = await given.project({ command: reporter(), datasetName: 'single' })
    const id = await given.run({ project })
    const { env, cwd } = await reportOf(id)

    const folder = join(app.dataDir, 'runs', id)
    expect(env).toMatchObject({
      TRAINYARD_RUN_ID: id,
      TRAINYARD_API_URL: `${app.url}/graphql`,
      TRAINYARD_CONFIG: join(folder, 'config.yaml'),
      TRAINYARD_DATASET: join(folder, 'dataset', 'train.jsonl'),
      TRAINYARD_OUTPUT_DIR: join(folder, 'output'),
      PATH: process.env.PATH,
    })
    expect(env.TRAINYARD_TOKEN).toMatch(/^\S{20,}$/)
    expect(
      Object.keys(env)
        .filter((name) => name.startsWith('TRAINYARD_'))
        .sort(),
    ).toEqual([
      'TRAINYARD_API_URL',
      'TRAINYARD_CONFIG',
      'TRAINYARD_DATASET',
      'TRAINYARD_OUTPUT_DIR',
      'TRAINYARD_RUN_ID',
      'TRAINYARD_TOKEN',
    ])
    expect(env).not.toHaveProperty('SOME_CLOUD_SECRET')
    expect(JSON.stringify(env)).not.toContain('not-for-runs')
    expect(cwd).toBe(app.config.workingDir)
  })

  test('reads the uploaded config with the hyperparameters merged in', async () => {
    const project = await given.project({
      command: reporter('', '{config}'),
      datasetName: 'single',
      trainConfigName: 'train.yaml',
      defaultHyperparameters: { optimizer: { lr: 0.25, warmup: 3 }, seed: 1 },
    })
    const id = await given.run({ project, hyperparameters: { optimizer: { lr: 0.125 } } })
    const { env, args } = await reportOf(id)
    expect(args[1]).toBe(env.TRAINYARD_CONFIG)
    const config = await readFile(args[1] ?? '', 'utf8')
    expect(parse(config)).toEqual({ optimizer: { lr: 0.125, name: 'sgd', warmup: 3 }, steps: 10, seed: 1 })
  })

  test('gets its arguments as they are, whatever is in them', async () => {
    const odd = [
      'two words',
      `"double" 'single'`,
      '$HOME `id` $(id) ; rm -rf /',
      'new\nline',
      '',
      '{"json": "{not}"}',
      '--x=*',
      '漢',
    ]
    const { args } = await reportOf(
      await given.run({ project: await given.project({ command: reporter('', ...odd) }) }),
    )
    expect(args.slice(1)).toEqual(odd)
  })

  test('finds its placeholders filled in: the one file of a dataset, or the folder of several', async () => {
    const command = reporter('', '{dataset}', '--out={output}/x', '{model}', '{run}{run}')
    const project = await given.project({ command, baseModel: 'tiny {run}' })
    for (const [datasetName, end] of [
      ['single', 'dataset/train.jsonl'],
      ['several', 'dataset'],
    ] as const) {
      const id = await given.run({ project, datasetName })
      const folder = join(app.dataDir, 'runs', id)
      const { args } = await reportOf(id)
      expect(args.slice(1)).toEqual([join(folder, end), `--out=${folder}/output/x`, 'tiny {run}', id + id])
    }
  })
})

describe.concurrent('a run is not started', () => {
  test.each([
    ['dataset', /dataset/],
    ['checkpoint', /resume/],
    ['model', /baseModel/],
  ])('when nothing can be filled in for {%s}', async (name, why) => {
    const project = await given.project({ command: ['true', `--with={${name}}`] })
    const refused = await start({ project })
    expect(refused).toMatchObject({ __typename: 'ValidationError', code: 'VALIDATION_FAILED' })
    expect(refused).toMatchObject({
      issues: [{ path: ['command', '1'], message: expect.stringMatching(why) }],
    })
    expect(refused).toMatchObject({ message: expect.stringContaining(`{${name}}`) })
  })

  test.each<[string, Omit<StartRunInput, 'project'>]>([
    ['model', { model: 'tiny\0' }],
    ['datasetName', { datasetName: 'sin\0gle' }],
    ['name', { name: 'first\0' }],
  ])('when there is a NUL in its %s, which no argument takes', async (field, input) => {
    const project = await given.project({ command: ['true', '{model}'], baseModel: 'tiny' })

    expect(await start({ ...input, project })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: [field] }],
    })
  })

  test('when its dataset or its config is not uploaded, and all that is missing is listed', async () => {
    const project = await given.project({
      command: ['true'],
      datasetName: 'nowhere',
      trainConfigName: 'absent.yaml',
    })
    const refused = await start({ project })
    expect(refused).toMatchObject({ __typename: 'PreconditionFailedError', code: 'PRECONDITION_FAILED' })
    const missing = refused.__typename === 'PreconditionFailedError' ? refused.missing.join(', ') : ''
    expect(missing).toContain('nowhere')
    expect(missing).toContain('absent.yaml')
  })

  test('in a project that does not exist', async () => {
    expect(await start({ project: 'no-such-project' })).toMatchObject({
      __typename: 'NotFoundError',
      message: expect.stringContaining('no-such-project'),
    })
  })

  test('when its hyperparameters are no object', async () => {
    const project = await given.project({ command: ['true'] })
    expect(await start({ project, hyperparameters: [1] })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['hyperparameters'] }],
    })
  })
})

describe.concurrent('the name of a run', () => {
  test('counts in its project unless it is given, and leaves taken ones out', async () => {
    const project = await given.project({ command: ['true'] })
    const names = []
    for (const name of [undefined, 'best so far', 'run-003', undefined, undefined]) {
      const run = await start({ project, name })
      names.push(run.__typename === 'Run' ? run.name : run.message)
    }
    expect(names).toEqual(['run-001', 'best so far', 'run-003', 'run-002', 'run-004'])
    expect(await start({ project, name: 'run-003' })).toMatchObject({ __typename: 'ConflictError' })
    expect(
      await start({ project: await given.project({ command: ['true'] }), name: 'run-003' }),
    ).toMatchObject({
      name: 'run-003',
    })
  })

  test('is unique however many ask at once', async () => {
    const project = await given.project({ command: ['true'] })
    const runs = await Promise.all(Array.from({ length: 12 }, () => start({ project })))
    const names = runs.map((run) => (run.__typename === 'Run' ? run.name : run.message)).sort()
    expect(names).toEqual(
      Array.from({ length: 12 }, (_, index) => `run-${String(index + 1).padStart(3, '0')}`),
    )
  })
})

test.concurrent('requests with one idempotency key make one run, and use up one name', async () => {
  const project = await given.project({ command: ['true'] })
  const input = { project, idempotencyKey: 'once', hyperparameters: { a: 1 } }
  const runs = await Promise.all(Array.from({ length: 20 }, () => start(input)))
  expect(new Set(runs.map((run) => (run.__typename === 'Run' ? run.id : run.message))).size).toBe(1)
  expect(runs[0]).toMatchObject({ __typename: 'Run', name: 'run-001' })
  expect(await start(input)).toMatchObject({ name: 'run-001' })
  expect(await start({ project })).toMatchObject({ name: 'run-002' })
})

describe.concurrent('resuming', () => {
  const command = () => reporter('checkpoint-5,checkpoint-9,checkpoint-20')
  const project = () => given.project({ command: command(), resumeArgs: ['--from', '{checkpoint}'] })

  test('continues from the newest checkpoint unless one is named', async () => {
    const first = await given.run({ project: await project() })
    const { artifacts } = await given.end(first)
    const named = artifacts.edges.find((edge) => edge.node.name === 'checkpoint-9')?.node.id ?? ''

    for (const [artifactId, name] of [
      [undefined, 'checkpoint-20'],
      [named, 'checkpoint-9'],
    ] as const) {
      const second = await resume({ runId: first, artifactId })
      expect(second).toMatchObject({ __typename: 'Run', resumedFrom: { name } })
      const { env, args } = await reportOf(second.__typename === 'Run' ? second.id : '')
      expect(env.TRAINYARD_RESUME_FROM).toBe(join(app.dataDir, 'runs', first, 'output', name))
      expect(args.slice(1)).toEqual(['--from', env.TRAINYARD_RESUME_FROM])
      expect(await readFile(join(env.TRAINYARD_RESUME_FROM ?? '', 'weights.bin'), 'utf8')).toBe(name)
    }
  })

  test('keeps the settings of the run before it under the new ones, and the config that it read', async () => {
    const name = await given.project({
      command: command(),
      datasetName: 'single',
      trainConfigName: 'train.yaml',
      defaultHyperparameters: { seed: 1 },
    })
    const first = await given.run({ project: name, hyperparameters: { optimizer: { lr: 0.25 }, seed: 2 } })
    await given.end(first)
    const second = await given.resume({ runId: first, hyperparameters: { steps: 99 } })
    const { env } = await reportOf(second)
    expect(parse(await readFile(env.TRAINYARD_CONFIG ?? '', 'utf8'))).toEqual({
      optimizer: { lr: 0.25, name: 'sgd' },
      steps: 99,
      seed: 2,
    })
  })

  test('from an artifact of another run is refused', async () => {
    const [one, other] = [
      await given.run({ project: await project() }),
      await given.run({ project: await project() }),
    ]
    await given.end(one)
    const foreign = (await given.end(other)).artifacts.edges[0]?.node.id
    expect(await resume({ runId: one, artifactId: foreign })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['artifactId'] }],
    })
  })

  test('an active run, one without a checkpoint, and one that does not exist are refused', async () => {
    const active = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
    expect(await resume({ runId: active })).toMatchObject({ __typename: 'ConflictError' })
    await given.cancel(active, 0)
    await given.end(active)
    expect(await resume({ runId: active })).toMatchObject({
      __typename: 'PreconditionFailedError',
      missing: ['checkpoint'],
    })
    expect(await resume({ runId: 'run_01h455vb4pex5vsknk084sn02q' })).toMatchObject({
      __typename: 'NotFoundError',
    })
  })
})
