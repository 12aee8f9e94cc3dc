import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 4 })
})
afterAll(() => app.stop())

/** Reports a metric and leaves a checkpoint. */
const SCRIPT = `
  const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
  require('node:fs').mkdirSync(folder, { recursive: true })
  require('node:fs').writeFileSync(folder + '/model.bin', 'weights')
  console.log(JSON.stringify({ step: 1, loss: 1 }))
`

const PROJECTS = `{
  projects { edges { node { name runs(first: 5) { edges { node { name metrics { key value } } } } } } }
}`

const RUNS = `{
  runs { edges { node {
    name
    project { name owner { username } }
    canResume
    artifacts(first: 3) { totalCount edges { node { name tags { value label } } } }
  } } }
}`

const DATASETS_OF_PROJECTS = `{
  projects { edges { node { name dataset { name totalBytes files { filename } trainConfig { filename } } } } }
}`

/**
 * The statements that an operation takes, without what differs from call to call: those that two calls in a
 * row take, because a worker may have something left to do beside one.
 */
async function statementsOf(operation: string): Promise<string[]> {
  let last: string[] = []
  return until('two calls to take the same statements', async () => {
    const before = last
    last = await statementsOfCall(operation)
    return isDeepStrictEqual(before, last) ? last : null
  })
}

async function statementsOfCall(operation: string): Promise<string[]> {
  const statements: string[] = []
  const stop = app.onStatement((sql) => statements.push(normalised(sql)))
  try {
    await app.api.send(operation)
  } finally {
    stop()
  }
  return statements
}

function normalised(sql: string): string {
  return sql
    .replaceAll('`main`.', '')
    .replaceAll('`', '')
    .replace(/\(\?(,\s*\?)*\)/g, '(…)')
    .replace(
      /^SELECT (.*?) FROM/s,
      (_all, columns: string) => `SELECT ${columns.split(',').length} columns FROM`,
    )
}

test('what a list takes of the database does not grow with the list', async () => {
  const given = seed(app.api)
  const withRuns = async (count: number) => {
    const projects = await Promise.all(
      Array.from({ length: count }, () => given.project({ script: SCRIPT, datasetName: 'shared' })),
    )
    const runs = await Promise.all(projects.map((project) => given.run({ project })))
    for (const run of runs) {
      expect(await given.end(run)).toMatchObject({ status: 'SUCCEEDED', canResume: true })
    }
  }

  await given.dataset('shared', { 'a.txt': 'text\n' }, 'a: 1\n')
  await withRuns(2)
  const few = {
    projects: await statementsOf(PROJECTS),
    runs: await statementsOf(RUNS),
    datasets: await statementsOf(DATASETS_OF_PROJECTS),
  }
  await withRuns(10)
  const more = {
    projects: await statementsOf(PROJECTS),
    runs: await statementsOf(RUNS),
    datasets: await statementsOf(DATASETS_OF_PROJECTS),
  }

  expect(more).toEqual(few)
  expect(few).toMatchInlineSnapshot(`
    {
      "datasets": [
        "SELECT 9 columns FROM UserSession WHERE (UserSession.id = ? AND 1=1) LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id = ? LIMIT ? OFFSET ?",
        "SELECT 19 columns FROM Project WHERE 1=1 ORDER BY Project.id DESC LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM Dataset WHERE Dataset.name IN (…) LIMIT ? OFFSET ?",
        "SELECT 7 columns FROM DatasetFile WHERE DatasetFile.datasetId IN (…) ORDER BY DatasetFile.filename ASC LIMIT ? OFFSET ?",
        "SELECT 6 columns FROM TrainConfig WHERE TrainConfig.datasetId IN (…) LIMIT ? OFFSET ?",
      ],
      "projects": [
        "SELECT 9 columns FROM UserSession WHERE (UserSession.id = ? AND 1=1) LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id = ? LIMIT ? OFFSET ?",
        "SELECT 19 columns FROM Project WHERE 1=1 ORDER BY Project.id DESC LIMIT ? OFFSET ?",
        "SELECT 30 columns FROM Run WHERE (1=1 AND Run.projectId IN (…)) ORDER BY Run.id DESC LIMIT ? OFFSET ?",
        "SELECT 6 columns FROM (SELECT "runId", "key", "lastStep", CASE WHEN "lastValue" IS NOT NULL THEN printf('%!.17g', "lastValue") END AS "lastValue", "lastNonFinite", "lastTimestamp"
           FROM "MetricSeries" WHERE "runId" IN (SELECT value FROM json_each(…)) ORDER BY "runId", "key")",
      ],
      "runs": [
        "SELECT 9 columns FROM UserSession WHERE (UserSession.id = ? AND 1=1) LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id = ? LIMIT ? OFFSET ?",
        "SELECT 32 columns FROM Run LEFT JOIN (SELECT Artifact.runId, COUNT(*) AS _aggr_count_artifacts FROM Artifact WHERE 1=1 GROUP BY Artifact.runId) AS aggr_selection_0_Artifact ON (Run.id = aggr_selection_0_Artifact.runId) WHERE 1=1 ORDER BY Run.id DESC LIMIT ? OFFSET ?",
        "SELECT 19 columns FROM Project WHERE Project.id IN (…) LIMIT ? OFFSET ?",
        "SELECT 11 columns FROM Artifact WHERE (1=1 AND Artifact.runId IN (…)) ORDER BY Artifact.createdAt DESC, Artifact.id DESC LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id IN (…) LIMIT ? OFFSET ?",
        "SELECT 5 columns FROM ArtifactTag WHERE ArtifactTag.artifactId IN (…) ORDER BY ArtifactTag.appliedAt ASC LIMIT ? OFFSET ?",
      ],
    }
  `)
})
