import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeploymentStopDocument, type DeploymentStopMutation } from '../../../src/generated/operations.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from '../../agent/support/agent.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { expected } from '../../support/people.ts'
import { isRunning } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { givenDeployments, givenEngine } from './support/deployments.ts'

let app: TestApp
let models: string
let agent: AgentProcess
let given: ReturnType<typeof givenDeployments>
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  app = await startTestApp({
    modelRoots: [models],
    deploymentPorts: { first: 18_970, last: 18_979 },
    nodeLeaseSeconds: 1,
    runLeaseSeconds: 3,
  })
  given = givenDeployments(app.api)
  await givenEngine(app.api, models)
  const { token } = await agentTokenOf(app.api)
  const args = ['--address', '127.0.0.4']
  agent = await createAgentProcess({ server: app.url, token, name: 'lost', args })
  await agent.start()
})
afterAll(async () => {
  if (!agent.runs()) await agent.start()
  await given.deleteAll()
  await agent.dispose()
  await app.stop()
  await rm(models, { recursive: true, force: true })
})

async function stop(
  deploymentId: string,
  { force }: { force: boolean },
): Promise<DeploymentStopMutation['stopDeployment']> {
  return (await app.api.send(DeploymentStopDocument, { input: { deploymentId, force } })).stopDeployment
}

test('what is on a machine that may never come back is given up by force; if it does come back, it is ended there', async () => {
  const stopped = await given.running({ placement: { node: 'lost' } })
  const deleted = await given.running({ placement: { node: 'lost' } })
  await agent.kill('SIGKILL')
  await given.reaches(stopped.id, 'UNHEALTHY')

  const answer = await stop(stopped.id, { force: false })
  expect(expected(answer, 'ConflictError').message).toContain('force gives up what it has')
  await until('it to be given up', async () => {
    const { __typename } = await stop(stopped.id, { force: true })
    return __typename === 'Deployment'
  })
  expect(await given.state(stopped.id)).toMatchObject({ status: 'STOPPED', port: null, computeNode: null })
  await given.delete(deleted.id)
  for (const { pid } of [stopped, deleted]) expect(isRunning(Number(pid))).toBe(true)

  await agent.start()
  await until('what is left to be gone', async () => (await agent.executions()).length === 0)
  for (const { pid } of [stopped, deleted]) expect(isRunning(Number(pid))).toBe(false)
})
