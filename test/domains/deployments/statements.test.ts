import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeploymentStopDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { statementsOf } from '../../support/statements.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

const PAGE = `{
  deployments { edges { node {
    name status port pid gpuIds command endpoint tags restartPending canEdit canStop canStart canDelete
    project { name } createdBy { username }
  } } }
}`

let app: TestApp
let models: string
let member: Person
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({ modelRoots: [models], deploymentPorts: { first: 18_600, last: 18_619 } })
  await givenEngine(app.api, models)
  member = await givenPerson(app)
})
afterAll(async () => {
  await givenDeployments(app.api).deleteAll()
  await member.api.close()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

/** A deployment in a project of its own, of which nothing runs. */
async function givenStopped(project: string): Promise<void> {
  const given = givenDeployments(member.api)
  const { id } = await given.deployment({ project: await seed(member.api).project({ name: project }) })
  await member.api.send(DeploymentStopDocument, { input: { deploymentId: id, force: true } })
}

test('a page of deployments takes the same statements however many there are', async () => {
  await givenStopped('first')
  const ofOne = await statementsOf(app, member.api, PAGE)
  for (const project of ['second', 'third', 'fourth']) await givenStopped(project)

  expect(await statementsOf(app, member.api, PAGE)).toEqual(ofOne)
})
