import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CatalogRegisterArtifactDocument,
  CatalogTagArtifactDocument,
  CatalogUpdateProjectDocument,
  FaultsArtifactDocument,
  FaultsProjectHistoryDocument,
} from '../../src/generated/operations.ts'
import { PASSWORD } from '../support/app.ts'
import { type ApiClient, createClient } from '../support/client.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { problemsIn } from './support/data-folder.ts'
import { createLedger, type Ledger } from './support/ledger.ts'
import { everyNode } from './support/pages.ts'
import { scaled, tell } from './support/scale.ts'
import { createWriters } from './support/writers.ts'

const ROUNDS = scaled(3, 100)
const AT_ONCE = 50

let server: ServerProcess
let given: ReturnType<typeof seed>
beforeAll(async () => {
  server = await startServerProcess()
  given = seed(server.api)
})
afterAll(() => server.dispose())

test('50 mutations of all kinds at once, from several clients, all take effect', async () => {
  const ledgers = await givenLedgers()
  const slowest: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    await Promise.all(ledgers.map((ledger) => ledger.write()))
    slowest.push(performance.now() - started)
  }
  for (const ledger of ledgers) {
    expect(ledger).toMatchObject({ stored: { size: ROUNDS }, refused: { size: 0 }, unknown: { size: 0 } })
    await ledger.check()
  }
  expect(problemsIn(server.dataDir)).toEqual([])
  tell('50 mutations of all kinds at once', {
    rounds: ROUNDS,
    errors: 0,
    'slowest round, ms': Math.round(Math.max(...slowest)),
  })
})

test('50 updates of one project at once leave each its version, and one of them the last word', async () => {
  const clients = await givenClients()
  const project = await given.project()
  for (let round = 0; round < ROUNDS; round++) {
    const words = Array.from({ length: AT_ONCE }, (_, index) => `word ${round}-${index}`)
    const answers = await Promise.all(
      words.map((description, index) =>
        clientOf(clients, index).send(CatalogUpdateProjectDocument, {
          input: { ref: project, description, tags: [description] },
        }),
      ),
    )
    expect(answers.map(({ updateProject }) => updateProject.__typename)).toEqual(words.map(() => 'Project'))
    // Each answer is of the moment of its own update.
    expect(
      answers.map(({ updateProject }) => updateProject.__typename === 'Project' && updateProject.description),
    ).toEqual(words)
  }
  const versions = await versionsOf(project)
  expect(versions.map(({ number }) => number)).toEqual(
    Array.from({ length: ROUNDS * AT_ONCE + 1 }, (_, index) => index + 1).reverse(),
  )
  const written = versions.flatMap(({ changes }) =>
    changes.filter(({ field, to }) => field === 'description' && to !== null).map(({ to }) => String(to)),
  )
  expect(new Set(written).size).toBe(ROUNDS * AT_ONCE)
  tell('50 updates of one project at once', { rounds: ROUNDS, versions: versions.length, lost: 0 })
})

test('50 tags on one artifact at once leave one tag, with the notes of one of them', async () => {
  const clients = await givenClients()
  const artifactId = await givenArtifact()
  for (let round = 0; round < ROUNDS; round++) {
    const answers = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) =>
        clientOf(clients, index).send(CatalogTagArtifactDocument, {
          input: { artifactId, value: 'RELEASE', notes: `note ${round}-${index}` },
        }),
      ),
    )
    expect(answers.every(({ tagArtifact }) => tagArtifact.__typename === 'Artifact')).toBe(true)
    const { artifact } = await server.api.send(FaultsArtifactDocument, { id: artifactId })
    expect(artifact?.tags).toEqual([
      { value: 'RELEASE', notes: expect.stringMatching(new RegExp(`^note ${round}-`)) },
    ])
  }
  tell('50 tags on one artifact at once', { rounds: ROUNDS, errors: 0 })
})

/** As many writers as mutations are sent at once, each with things of its own. */
async function givenLedgers(): Promise<Ledger[]> {
  const runId = await givenRun()
  const clients = await givenClients()
  const writers = []
  for (let label = 0; writers.length < AT_ONCE; label++) {
    writers.push(...(await createWriters(clientOf(clients, label), runId, `w${label}-`)))
  }
  return writers.slice(0, AT_ONCE).map(createLedger)
}

/** Several people, or one with several windows. */
async function givenClients(): Promise<ApiClient[]> {
  const clients = Array.from({ length: 5 }, () => createClient(server.url))
  for (const client of clients) await client.signIn('admin', PASSWORD)
  return clients
}

function clientOf(clients: ApiClient[], index: number): ApiClient {
  return clients[index % clients.length] ?? server.api
}

async function givenRun(): Promise<string> {
  const runId = await given.run({ project: await given.project({ command: ['sleep', '3600'] }) })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  return runId
}

async function givenArtifact(): Promise<string> {
  const { registerArtifact } = await server.api.send(CatalogRegisterArtifactDocument, {
    input: { runId: await givenRun(), uri: 's3://bucket/weights' },
  })
  if (registerArtifact.__typename !== 'Artifact') throw new Error(JSON.stringify(registerArtifact))
  return registerArtifact.id
}

/** All versions of a project, the newest first. */
async function versionsOf(ref: string) {
  return everyNode(async (after) => {
    return (await server.api.send(FaultsProjectHistoryDocument, { ref, after })).project?.versions
  })
}
