import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogProjectDocument,
  CatalogUploadDatasetFileDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { type ApiClient, createClient } from '../../support/client.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'

/** Tells its token, saves a checkpoint and waits to be ended. */
const SCRIPT = `
  const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
  require('node:fs').mkdirSync(folder, { recursive: true })
  require('node:fs').writeFileSync(folder + '/model.bin', 'weights')
  console.log('token ' + process.env.TRAINYARD_TOKEN)
  console.log('url ' + process.env.TRAINYARD_API_URL)
  setInterval(() => {}, 1000)
`

let app: TestApp
/** Speaks for the process of `own`, which resumes from a checkpoint of `other`. */
let process: ApiClient
let own: string
let other: string
let projectId: string

beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 2 })
  const given = seed(app.api)
  const project = await given.project({ script: SCRIPT })
  other = await given.run({ project })
  await given.when(other, 'saved', (run) => run.artifacts.totalCount > 0)
  await given.cancel(other, 0)
  await given.end(other)
  own = await given.resume({ runId: other })
  await given.when(own, 'running', (run) => run.status === 'RUNNING')
  const { project: made } = await app.api.send(CatalogProjectDocument, { ref: project })
  projectId = made?.id ?? ''
  process = createClient(app.url)
  process.useToken(await tokenOf(own))
})
afterAll(async () => {
  await process.close()
  await app.stop()
})

/** What a script printed behind a word. */
async function printed(run: string, word: string): Promise<string> {
  return until(`${word} to be printed`, async () => {
    const lines = await seed(app.api).log(run)
    return lines
      .map(({ message }) => message)
      .find((message) => message.startsWith(`${word} `))
      ?.slice(word.length + 1)
  })
}

const tokenOf = (run: string) => printed(run, 'token')

const FORBIDDEN = { errors: [{ extensions: { code: 'FORBIDDEN' } }] }

const LOG_METRICS = `mutation ($runId: ID!) {
  logMetrics(input: { runId: $runId, series: [{ key: "reported", steps: [7], values: [0.5] }] }) {
    ... on Run { id metrics { key value step } }
    ... on Error { code message }
  }
}`

describe('the process of a run', () => {
  test('is told where to report to', async () => {
    expect(await printed(own, 'url')).toBe(`${app.url}/graphql`)
  })

  test('reports metrics, log lines and artifacts to its own run', async () => {
    expect(await process.send(LOG_METRICS, { runId: own })).toMatchObject({
      logMetrics: { id: own, metrics: [{ key: 'reported', value: 0.5, step: 7 }] },
    })
    expect(
      await process.send(
        `mutation ($runId: ID!) {
          appendRunLogs(input: { runId: $runId, lines: [{ message: "reported" }] }) { ... on Run { id } }
          registerArtifact(input: { runId: $runId, uri: "s3://bucket/key", name: "elsewhere" }) {
            ... on Artifact { name run { id } }
          }
        }`,
        { runId: own },
      ),
    ).toEqual({ appendRunLogs: { id: own }, registerArtifact: { name: 'elsewhere', run: { id: own } } })
  })

  test('reads its own run', async () => {
    expect(
      await process.send(
        `query ($id: ID!) { run(id: $id) {
          id status logs(first: 1) { edges { node { seq } } } artifacts { edges { node { run { id } } } }
          resumedFrom { name }
        } }`,
        { id: own },
      ),
    ).toMatchObject({ run: { id: own, status: 'RUNNING', resumedFrom: { name: 'checkpoint-1' } } })
  })

  test.each<[string, string, (ids: { own: string; other: string; projectId: string }) => object]>([
    ['another run', 'query ($id: ID!) { run(id: $id) { id } }', ({ other: id }) => ({ id })],
    [
      'the run that it resumes',
      'query ($id: ID!) { run(id: $id) { resumedFrom { run { id logs { totalCount } } } } }',
      ({ own: id }) => ({ id }),
    ],
    ['its project', 'query ($id: ID!) { run(id: $id) { project { name } } }', ({ own: id }) => ({ id })],
    [
      'who started it',
      'query ($id: ID!) { run(id: $id) { createdBy { username email } } }',
      ({ own: id }) => ({ id }),
    ],
    ['projects', '{ projects { totalCount } }', () => ({})],
    ['a project', 'query ($ref: String!) { project(ref: $ref) { name } }', ({ projectId: ref }) => ({ ref })],
    ['runs', '{ runs { edges { node { id } } } }', () => ({})],
    ['datasets', '{ datasets { totalCount } }', () => ({})],
    ['who it is', '{ viewer { username } }', () => ({})],
    ['its own run as a node', 'query ($id: ID!) { node(id: $id) { id } }', ({ own: id }) => ({ id })],
    ['reporting to another run', LOG_METRICS, ({ other: runId }) => ({ runId })],
    [
      'starting a run',
      'mutation ($project: String!) { startRun(input: { project: $project }) { __typename } }',
      ({ projectId: project }) => ({ project }),
    ],
    [
      'cancelling itself',
      'mutation ($runId: ID!) { cancelRun(input: { runId: $runId }) { __typename } }',
      ({ own: runId }) => ({ runId }),
    ],
    ['making a token', 'mutation { createApiToken(input: { name: "mine" }) { __typename } }', () => ({})],
    ['making a project', 'mutation { createProject(input: { name: "mine" }) { __typename } }', () => ({})],
  ])('is refused %s', async (_what, operation, variables) => {
    expect(await process.ask(operation, variables({ own, other, projectId }))).toMatchObject(FORBIDDEN)
  })

  test('is refused an upload', async () => {
    await seed(app.api).dataset('guarded', {})
    const answer = await process.upload(
      CatalogUploadDatasetFileDocument,
      { input: { dataset: 'guarded', file: null as never } },
      { 'variables.input.file': new File(['text'], 'a.txt') },
    )
    expect(answer).toMatchObject(FORBIDDEN)
  })

  test.each([
    ['its own log', 'subscription ($id: ID!) { runLogs(runId: $id) { cursor } }'],
    ['its own metrics', 'subscription ($id: ID!) { runMetrics(runId: $id) { cursor } }'],
    ['its own state', 'subscription ($id: ID!) { runUpdated(runId: $id) { status } }'],
  ])('is refused watching %s', async (_what, operation) => {
    await expect(process.watch(operation, { id: own }).next()).rejects.toThrow('FORBIDDEN')
  })

  test('is nobody any more when its run is over', async () => {
    await seed(app.api).cancel(own, 0)
    await seed(app.api).end(own)

    const answers = [
      await process.ask(LOG_METRICS, { runId: own }),
      await process.ask('query ($id: ID!) { run(id: $id) { id } }', { id: own }),
    ]
    for (const answer of answers) {
      expect(answer).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
    }
  })
})
