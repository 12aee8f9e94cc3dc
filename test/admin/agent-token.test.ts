import { afterAll, beforeAll, expect, test } from 'vitest'
import { agentTokenCommand } from '../../src/admin/agent-token.ts'
import { readConfig } from '../../src/config.ts'
import { createOperatorTokens } from '../../src/domains/accounts/operator-tokens.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { as } from '../support/people.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const agentToken = agentTokenCommand((database, name) =>
  createOperatorTokens({ database }).issueAgentToken(name),
)
const run = (name: string) =>
  agentToken.run({
    config: readConfig({
      TRAINYARD_DATA_DIR: app.dataDir,
      TRAINYARD_PUBLIC_URL: 'https://trainyard.example.org',
    }),
    options: {},
    arguments: [name],
  })

const REGISTER = `mutation ($name: String!) {
  registerAgent(input: { name: $name, installationId: "0123456789abcdef", agentVersion: "1", hardware: {} }) {
    __typename ... on ComputeNode { name status type }
  }
}`

test('prints what makes another machine a compute node, while the server runs', async () => {
  const line = (await run('gpu 1')).at(-1) ?? ''

  const command =
    /^TRAINYARD_AGENT_TOKEN=(\S+) npm run agent -- --server https:\/\/trainyard.example.org --name 'gpu 1'$/
  const [, token = ''] = command.exec(line) ?? []
  const agent = as(app, token)
  expect(await agent.send(REGISTER, { name: 'gpu 1' })).toEqual({
    registerAgent: { __typename: 'ComputeNode', name: 'gpu 1', status: 'ONLINE', type: 'SERVER' },
  })
  expect(await agent.ask('{ viewer { username } }')).toMatchObject({
    errors: [{ extensions: { code: 'FORBIDDEN' } }],
  })
})

test('is written down', async () => {
  const { auditEvents } = await app.api.send<
    { auditEvents: { edges: { node: { actorKind: string; targetName: string } }[] } },
    object
  >('{ auditEvents(filter: { action: API_TOKEN_CREATED }) { edges { node { actorKind targetName } } } }')

  expect(auditEvents.edges.map(({ node }) => node)).toEqual([{ actorKind: 'OPERATOR', targetName: 'gpu 1' }])
})

test('refuses a name that is none', async () => {
  await expect(run(' ')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
})
