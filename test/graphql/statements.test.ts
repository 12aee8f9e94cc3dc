import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'
import { statementsOf } from '../support/statements.ts'

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
    projects: await statementsOf(app, app.api, PROJECTS),
    runs: await statementsOf(app, app.api, RUNS),
    datasets: await statementsOf(app, app.api, DATASETS_OF_PROJECTS),
  }
  await withRuns(10)
  const more = {
    projects: await statementsOf(app, app.api, PROJECTS),
    runs: await statementsOf(app, app.api, RUNS),
    datasets: await statementsOf(app, app.api, DATASETS_OF_PROJECTS),
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
        "SELECT 38 columns FROM Run WHERE (1=1 AND Run.projectId IN (…)) ORDER BY Run.id DESC LIMIT ? OFFSET ?",
        "SELECT 6 columns FROM (SELECT "runId", "key", "lastStep", CASE WHEN "lastValue" IS NOT NULL THEN printf('%!.17g', "lastValue") END AS "lastValue", "lastNonFinite", "lastTimestamp"
           FROM "MetricSeries" WHERE "runId" IN (SELECT value FROM json_each(…)) ORDER BY "runId", "key")",
      ],
      "runs": [
        "SELECT 9 columns FROM UserSession WHERE (UserSession.id = ? AND 1=1) LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id = ? LIMIT ? OFFSET ?",
        "SELECT 40 columns FROM Run LEFT JOIN (SELECT Artifact.runId, COUNT(*) AS _aggr_count_artifacts FROM Artifact WHERE 1=1 GROUP BY Artifact.runId) AS aggr_selection_0_Artifact ON (Run.id = aggr_selection_0_Artifact.runId) WHERE 1=1 ORDER BY Run.id DESC LIMIT ? OFFSET ?",
        "SELECT 19 columns FROM Project WHERE Project.id IN (…) LIMIT ? OFFSET ?",
        "SELECT 11 columns FROM Artifact WHERE (1=1 AND Artifact.runId IN (…)) ORDER BY Artifact.createdAt DESC, Artifact.id DESC LIMIT ? OFFSET ?",
        "SELECT 12 columns FROM User WHERE User.id IN (…) LIMIT ? OFFSET ?",
        "SELECT 5 columns FROM ArtifactTag WHERE ArtifactTag.artifactId IN (…) ORDER BY ArtifactTag.appliedAt ASC LIMIT ? OFFSET ?",
      ],
    }
  `)
})
