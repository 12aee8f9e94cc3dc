import { afterAll, beforeAll, expect, test } from 'vitest'
import { OWN_NODE_ID } from '../../../src/domains/compute-nodes/own-node.ts'
import { HowAllStandsDocument, UpdateComputeNodeDocument } from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { storeNode } from '../../support/stored-nodes.ts'
import { until } from '../../support/until.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 2 })
  await app.api.send(UpdateComputeNodeDocument, { input: { computeNodeId: OWN_NODE_ID, name: 'own' } })
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

test('an overview counts what one may see, and nothing else', async () => {
  const given = seed(app.api)
  const member = await givenPerson(app, 'MEMBER', 'a-member')
  await storeNode(app.dataDir, { name: 'away', isOnline: false })
  await storeNode(app.dataDir, { name: 'drained', mode: 'DRAINING' })
  const hidden = await given.project({ name: 'hidden', command: ['sleep', '60'] })
  const shown = await given.project({ name: 'shown', command: ['sleep', '60'], visibility: 'TEAM' })
  const failing = await given.project({ name: 'failing', command: ['false'] })
  await given.end(await given.run({ project: failing }))
  for (const project of [hidden, shown]) {
    await given.when(await given.run({ project }), 'running', (run) => run.status === 'RUNNING')
  }
  await given.run({ project: hidden })

  const { overview: ofAdministrator } = await app.api.send(HowAllStandsDocument, {})
  const { overview: ofMember } = await member.api.send(HowAllStandsDocument, {})

  const computeNodes = [{ name: 'own' }]
  expect(ofAdministrator).toMatchObject({
    queued: 1,
    deploymentCounts: [],
    nodesPerProject: [
      { project: { name: 'hidden' }, computeNodes },
      { project: { name: 'shown' }, computeNodes },
    ],
  })
  expect(ofAdministrator.runCounts).toEqual(
    expect.arrayContaining([
      { status: 'QUEUED', count: 1 },
      { status: 'RUNNING', count: 2 },
      { status: 'FAILED', count: 1 },
    ]),
  )
  expect(ofAdministrator.nodeCounts).toEqual(
    expect.arrayContaining([
      { status: 'ONLINE', count: 1 },
      { status: 'OFFLINE', count: 1 },
      { status: 'DRAINING', count: 1 },
    ]),
  )
  expect(ofMember).toMatchObject({
    queued: 0,
    runCounts: [{ status: 'RUNNING', count: 1 }],
    nodesPerProject: [{ project: { name: 'shown' }, computeNodes }],
  })
})

test('an overview says how busy the nodes are that are heard of', async () => {
  const { averageCpuUsage, averageMemoryUsage } = await until('a measurement', async () => {
    const { overview } = await app.api.send(HowAllStandsDocument, {})
    return overview.averageMemoryUsage !== null && overview
  })

  for (const usage of [averageCpuUsage, averageMemoryUsage]) {
    expect(usage).toBeGreaterThanOrEqual(0)
    expect(usage).toBeLessThanOrEqual(100)
  }
})
