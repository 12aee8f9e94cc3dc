import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentProcess, agentTokenOf, createAgentProcess } from '../agent/support/agent.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { endRuns } from '../support/end-runs.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { mountSmallDisk, type SmallDisk } from './support/small-disk.ts'

let mounted: SmallDisk | string
let app: TestApp
let agent: AgentProcess
beforeAll(async () => {
  mounted = mountSmallDisk(16)
  if (typeof mounted === 'string') return
  app = await startTestApp()
  const { token } = await agentTokenOf(app.api)
  agent = await createAgentProcess({ server: app.url, token, name: 'full', dataDir: `${mounted.path}/data` })
  await agent.start()
})
afterAll(async () => {
  if (typeof mounted === 'string') return
  mounted.free()
  await endRuns(app.api)
  await agent.dispose()
  await app.stop()
  mounted.unmount()
})

test('an agent starts again on a disk that is full, and brings what happened meanwhile', async ({ skip }) => {
  if (typeof mounted === 'string') return skip(mounted)
  const given = seed(app.api)
  const script = `process.on('SIGTERM', () => process.exit(7)); console.log('ready'); setInterval(() => {}, 1000)`
  const id = await given.run({ project: await given.project({ script }), placement: { node: 'full' } })
  await until('its line', async () => (await given.log(id)).length > 0)

  mounted.fill()
  await agent.kill('SIGKILL')
  await agent.start()
  mounted.free()
  await given.cancel(id, 30)

  expect(await given.end(id)).toMatchObject({ status: 'CANCELLED', exitCode: 7 })
})
