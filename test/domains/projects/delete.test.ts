import { cpSync, existsSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createClient as openDatabaseFile } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogDeleteProjectDocument,
  CatalogProjectDocument,
  TagArtifactDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 1 })
  given = seed(app.api)
})
afterAll(() => app.stop())

const remove = async (ref: string) =>
  (await app.api.send(CatalogDeleteProjectDocument, { input: { ref } })).deleteProject
const find = async (ref: string) => (await app.api.send(CatalogProjectDocument, { ref })).project

/** Leaves a log, a metric and a checkpoint. */
const SCRIPT = `
  const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
  require('node:fs').mkdirSync(folder, { recursive: true })
  require('node:fs').writeFileSync(folder + '/model.bin', 'weights')
  console.log(JSON.stringify({ step: 1, loss: 1 }))
`

/** How many rows each table has; but for the audit trail, which says what was done for ever. */
async function countRows(): Promise<Record<string, number>> {
  const database = openDatabaseFile({ url: `file:${join(app.dataDir, 'trainyard.db')}` })
  try {
    const tables = await database.execute(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name <> 'AuditEvent'",
    )
    const counts: Record<string, number> = {}
    for (const { name } of tables.rows) {
      const { rows } = await database.execute(`SELECT count(*) AS count FROM "${name}"`)
      counts[String(name)] = Number(rows[0]?.count)
    }
    return counts
  } finally {
    database.close()
  }
}

describe('deleting a project', () => {
  test('takes its runs, logs, metrics, artifacts and their folders along, and leaves everything else', async () => {
    const keptProject = await given.project({ script: SCRIPT })
    const keptRun = await given.run({ project: keptProject })
    await given.end(keptRun)
    const before = await countRows()
    const doomed = await given.project({ script: SCRIPT, tags: ['a', 'b'] })
    const first = await given.run({ project: doomed })
    const { artifacts } = await given.end(first)
    await app.api.send(TagArtifactDocument, {
      input: { artifactId: artifacts.edges[0]?.node.id ?? '', value: 'RELEASE' },
    })
    await given.end(await given.resume({ runId: first }))
    const during = await countRows()
    expect(during).toMatchObject({ ArtifactTag: 1, Project: 2, Run: 3, ProjectTag: 2 })
    expect(during.LogLine).toBeGreaterThan(before.LogLine ?? 0)
    expect(during.MetricPoint).toBeGreaterThan(before.MetricPoint ?? 0)

    const deleted = await remove(doomed)

    expect(deleted).toMatchObject({
      name: doomed,
      tags: ['a', 'b'],
      owner: { username: 'admin' },
      runCount: 2,
    })
    expect(await find(doomed)).toBeNull()
    expect(await countRows()).toEqual(before)
    expect(readdirSync(join(app.dataDir, 'runs'))).toEqual([keptRun])
    expect(await given.state(keptRun)).toMatchObject({ status: 'SUCCEEDED', artifacts: { totalCount: 1 } })
  })

  test('is refused while a run is active, be it queued or running; then it works', async () => {
    const project = await given.project({ script: 'setInterval(() => {}, 1000)' })
    const running = await given.run({ project })
    const queued = await given.run({ project })
    await given.when(running, 'running', (run) => run.status === 'RUNNING')

    expect(await remove(project)).toMatchObject({
      __typename: 'ConflictError',
      message: expect.stringMatching(/run-00[12], run-00[12]/),
    })
    await given.cancel(running, 0)
    await given.end(running)
    expect(await remove(project)).toMatchObject({ __typename: 'ConflictError' })
    await given.cancel(queued, 0)
    await given.end(queued)

    expect(await remove(project)).toMatchObject({ __typename: 'Project' })
    expect(existsSync(join(app.dataDir, 'runs', running))).toBe(false)
  })

  test('is finished by the next server when one dies over the folders', async () => {
    const project = await given.project({ script: SCRIPT })
    const id = await given.run({ project })
    await given.end(id)
    const folder = join(app.dataDir, 'runs', id)
    cpSync(folder, `${folder}.copy`, { recursive: true })
    await remove(project)
    // As it is between the deletion of the rows and that of the folders.
    renameSync(`${folder}.copy`, folder)
    const database = openDatabaseFile({ url: `file:${join(app.dataDir, 'trainyard.db')}` })
    await database.execute({ sql: 'INSERT INTO "DeletedRun" VALUES (?)', args: [id] })
    database.close()

    await app.restart()
    expect(existsSync(folder)).toBe(false)
    expect(await countRows()).toMatchObject({ DeletedRun: 0 })
  })

  test('that does not exist says so', async () => {
    expect(await remove('nothing')).toMatchObject({ __typename: 'NotFoundError' })
  })

  test('frees its name', async () => {
    await given.project({ name: 'again' })
    const before = await find('again')
    await remove('again')
    await given.project({ name: 'again' })

    expect((await find('again'))?.id).not.toBe(before?.id)
  })
})
