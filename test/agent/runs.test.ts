import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from './support/agent.ts'

let app: TestApp
let agent: AgentProcess
let given: ReturnType<typeof seed>
beforeAll(async () => {
  app = await startTestApp()
  given = seed(app.api)
  const { token } = await agentTokenOf(app.api)
  agent = await createAgentProcess({ server: app.url, token, name: 'gpu-1', args: ['--max-runs', '10'] })
  await agent.start()
})
afterAll(async () => {
  await agent.dispose()
  await app.stop()
})

const placement = { node: 'gpu-1' }

test('a run on another machine has its lines once and in order, its metrics and its end', async () => {
  const script = `
    for (let n = 1; n <= 500; n++) {
      console.log('line ' + n)
      if (n % 10 === 0) console.log(JSON.stringify({ step: n, loss: 1 / n }))
      if (n % 7 === 0) console.error('every seventh ' + n)
    }
    console.log(process.env.TRAINYARD_API_URL, process.cwd())
    process.exitCode = 0`
  const id = await given.run({ project: await given.project({ script }), placement })

  expect(await given.end(id)).toMatchObject({ status: 'SUCCEEDED', exitCode: 0, statusReason: null })
  const log = await given.log(id)
  const said = (source: string) => log.filter((line) => line.source === source).map((line) => line.message)
  const numbered = said('STDOUT').filter((line) => line.startsWith('line '))
  expect(numbered).toEqual(Array.from({ length: 500 }, (_, index) => `line ${index + 1}`))
  expect(said('STDERR')).toHaveLength(71)
  expect(said('STDOUT').at(-1)).toBe(`${app.url}/graphql ${process.cwd()}`)
  await until('its folder to be gone', async () => (await agent.executions()).length === 0)
})
