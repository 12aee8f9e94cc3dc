import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import {
  AccountRevokeApiTokenDocument,
  AgentAssignmentDocument,
  AgentHeartbeatDocument,
  AgentReleaseDocument,
  AgentReportDocument,
  type ComputeNodeOperationKind,
  OperateComputeNodeDocument,
  PlacedRunDocument,
} from '../../src/generated/operations.ts'
import { createAgentProcess } from '../agent/support/agent.ts'
import { expected } from '../support/people.ts'
import { isRunning } from '../support/processes.ts'
import type { RunState } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { impossible, needNetwork } from './support/no-network.ts'
import { type Site, type SiteNode, startSite } from './support/site.ts'
import { createTrainings, type Training } from './support/training.ts'

let site: Site
let trainings: ReturnType<typeof createTrainings>
beforeAll(async () => {
  if (impossible !== null) return
  site = await startSite()
  trainings = createTrainings(site)
})
afterAll(() => site?.end())

const checkpointsOf = ({ artifacts }: RunState) => artifacts.edges.map(({ node }) => node.name).sort()

const withCheckpoints = ({ id }: Training, count: number) =>
  until('its checkpoints', async () => {
    const run = await trainings.given.state(id)
    return checkpointsOf(run).length === count && run
  })

async function operate({ id }: SiteNode, operation: ComputeNodeOperationKind) {
  const input = { computeNodeId: id, operation, graceSeconds: 20 }
  const { operateComputeNode } = await site.server.api.send(OperateComputeNodeDocument, { input })
  return expected(operateComputeNode, 'ComputeNodeOperation')
}

describe.concurrent('machines of a network', () => {
  test('a run that is cancelled while the cable is out ends when it is back, with its checkpoint', async (context) => {
    needNetwork(context)
    const { machine, agent } = await site.node('cancelled')
    const training = await trainings.start('cancelled', 'quickly')
    await training.grows()
    machine.unplug()
    await trainings.given.cancel(training.id, 20)
    await site.reaches('cancelled', 'OFFLINE')
    expect((await trainings.given.state(training.id)).status).toBe('CANCELLING')
    expect(isRunning(await training.pid())).toBe(true)

    machine.plugIn()

    const run = await trainings.given.end(training.id)
    expect(run).toMatchObject({ status: 'CANCELLED', canResume: true, artifacts: { totalCount: 1 } })
    await training.expectWhole()
    await until('nothing to be left of it', async () => (await agent.executions()).length === 0)
  }, 120_000)

  test('a run that was given up goes on elsewhere from the last checkpoint that its node brought', async (context) => {
    needNetwork(context)
    const [from] = await Promise.all([site.node('from'), site.node('to')])
    const training = await trainings.start('from', 'quickly')
    await training.grows()
    await training.save()
    const [early] = checkpointsOf(await withCheckpoints(training, 1))
    from.machine.unplug()
    await site.reaches('from', 'OFFLINE')
    await training.save()
    expect(await trainings.given.end(training.id)).toMatchObject({ status: 'LOST', canResume: true })
    expect(checkpointsOf(await trainings.given.state(training.id))).toEqual([early])

    from.machine.plugIn()
    const late = await withCheckpoints(training, 2)
    expect(late.status).toBe('LOST')
    expect(isRunning(await training.pid())).toBe(true)
    const resumed = await trainings.resume(training, 'to')

    // What was given up must not do the same beside it, holding its GPU.
    await until('the first to end', async () => !isRunning(await training.pid()))
    const newest = Math.max(...checkpointsOf(late).map((name) => Number(name.split('-')[1])))
    await resumed.grows()
    expect((await trainings.linesOf(resumed.id, 'STDOUT'))[1]).toBe(`goes on from step ${newest}`)
    await resumed.finish()
    expect(await trainings.given.end(resumed.id)).toMatchObject({ status: 'SUCCEEDED' })
    await resumed.expectWhole()
    await until('its late result', async () => (await trainings.linesOf(training.id, 'SYSTEM')).length > 1)
    await training.expectWhole()
    expect((await trainings.given.state(training.id)).status).toBe('LOST')
    expect(site.histories.of(training.id).at(-1)).toBe('LOST')
    await until('nothing to be left of it', async () => (await from.agent.executions()).length === 0)
  }, 120_000)

  test('a node is drained, restarted and stopped with what really runs on it', async (context) => {
    needNetwork(context)
    const node = await site.node('operated', { maxRuns: 1 })
    const first = await trainings.start('operated', 'quickly')
    await first.grows()
    // What it prints may be there a moment before what its agent tells of it is.
    await until('it to run', async () => {
      const { run } = await site.server.api.send(PlacedRunDocument, { id: first.id })
      return run?.status === 'RUNNING'
    })
    expect(await operate(node, 'DRAIN')).toMatchObject({
      computeNode: { status: 'DRAINING' },
      runs: [{ run: { id: first.id, status: 'RUNNING' }, outcome: 'UNTOUCHED' }],
    })
    const waiting = await trainings.start('operated', 'quickly')
    await first.grows()
    await first.finish()
    expect(await trainings.given.end(first.id)).toMatchObject({ status: 'SUCCEEDED' })
    const { run: still } = await site.server.api.send(PlacedRunDocument, { id: waiting.id })
    expect(still).toMatchObject({ status: 'QUEUED', computeNode: null })

    await operate(node, 'START')
    await waiting.grows()
    const restarted = await operate(node, 'RESTART')
    expect(restarted).toMatchObject({
      computeNode: { status: 'ONLINE' },
      runs: [{ run: { id: waiting.id, status: 'CANCELLED' }, outcome: 'RESUMED' }],
    })
    await waiting.expectWhole()
    const resumed = trainings.known(restarted.runs[0]?.successor?.id ?? '')
    await resumed.grows()
    expect((await trainings.linesOf(resumed.id, 'STDOUT'))[1]).toMatch(/^goes on from step \d+$/)

    expect(await operate(node, 'STOP')).toMatchObject({
      computeNode: { status: 'STOPPED' },
      runs: [{ run: { id: resumed.id }, outcome: 'CANCELLING' }],
    })
    expect(await trainings.given.end(resumed.id)).toMatchObject({ status: 'CANCELLED' })
    await resumed.expectWhole()
    await until('nothing to be left', async () => (await node.agent.executions()).length === 0)
  }, 120_000)

  test('a token is of one machine, reaches what that was given and nothing else, and nothing once it is revoked', async (context) => {
    needNetwork(context)
    const [owner, other] = await Promise.all([site.node('owner'), site.node('other')])
    const training = await trainings.start('owner', 'quickly')
    await training.grows()
    const [executionId = ''] = await owner.agent.executions()

    // The token of another node.
    const foreign = createClient(site.server.url)
    foreign.useToken(other.token.token)
    const asked = await foreign.ask(AgentAssignmentDocument, { executionId })
    expect(asked).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] })
    const report = { state: 'LOST' as const, reason: 'It is not.' }
    const { data } = await foreign.ask(AgentReportDocument, { input: { executionId, report } })
    expect(data?.reportExecution).toMatchObject({ code: 'NOT_FOUND' })
    const released = await foreign.ask(AgentReleaseDocument, { input: { executionId } })
    expect(released.data?.releaseExecution).toMatchObject({ code: 'NOT_FOUND' })
    const { sendHeartbeat } = await foreign.send(AgentHeartbeatDocument, { input: {} })
    expect(sendHeartbeat).toMatchObject({ executions: [] })

    // The token of this node, from another machine.
    const thief = await createAgentProcess({
      server: site.server.url,
      token: owner.token.token,
      name: 'owner',
      spawn: site.machine('thief').spawn,
    })
    expect(await thief.run()).toBe(1)
    expect(thief.said.join('\n')).toContain('This token belongs to compute node owner')
    await thief.dispose()

    // A token that is revoked: nobody is told anything any more, and the training waits for a better one.
    const { revokeApiToken } = await site.server.api.send(AccountRevokeApiTokenDocument, {
      input: { tokenId: owner.token.id },
    })
    expect(revokeApiToken.__typename).toBe('ApiToken')
    await until('the agent to end', () =>
      owner.agent.said.some((line) => line.includes('does not know the token')),
    )
    const revoked = createClient(site.server.url)
    revoked.useToken(owner.token.token)
    const refused = await revoked.ask(AgentAssignmentDocument, { executionId })
    expect(refused).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
    await site.reaches('owner', 'OFFLINE')
    expect(isRunning(await training.pid())).toBe(true)

    await site.renew(owner)
    await training.grows()
    await training.finish()
    expect(await trainings.given.end(training.id)).toMatchObject({ status: 'SUCCEEDED' })
    await training.expectWhole()
  }, 120_000)
})
