import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { print } from 'graphql'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  AccountCreateApiTokenDocument,
  AccountRevokeApiTokenDocument,
  AgentTestNodeDocument,
  AgentTestNodesDocument,
  LoginDocument,
} from '../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { endRuns } from '../support/end-runs.ts'
import { isRunning } from '../support/processes.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from './support/agent.ts'

let app: TestApp
let folder: string
const agents: AgentProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  app = await startTestApp()
})
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.dispose()
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true })
})

let names = 0
async function create(settings: Partial<Parameters<typeof createAgentProcess>[0]> = {}) {
  const token = settings.token ?? (await agentTokenOf(app.api)).token
  const agent = await createAgentProcess({ server: app.url, name: `node-${++names}`, ...settings, token })
  agents.push(agent)
  return agent
}

/** What an agent says last, which ends with exit code 1. */
async function lastWords(agent: AgentProcess): Promise<string | undefined> {
  expect(await agent.run()).toBe(1)
  const lines = agent.said.filter((line) => !line.startsWith('{'))
  expect(lines).toHaveLength(1)
  return lines[0]
}

test('an agent says once that it is connected, and the node is there as it was told', async () => {
  const agent = await create({ name: 'told', args: ['--type', 'EDGE', '--label', 'zone=eu'] })
  await agent.start()
  expect(agent.said.filter((line) => !line.startsWith('{'))).toEqual([
    expect.stringMatching(/^Connected to http:\/\/127\.0\.0\.1:\d+ as compute node told \(node_\w+\)\.$/),
  ])
  const node = /\((\w+)\)/.exec(agent.said.join('\n'))?.[1] ?? ''
  expect((await app.api.send(AgentTestNodeDocument, { node })).computeNode).toMatchObject({
    name: 'told',
    type: 'EDGE',
    status: 'ONLINE',
    labels: [
      { name: 'arch', value: process.arch },
      { name: 'os', value: process.platform },
      { name: 'zone', value: 'eu' },
    ],
  })
  expect(await agent.kill('SIGTERM')).toBe(0)
})

test('a wrong token gets nothing', async () => {
  const agent = await create({ token: 'wrong' })
  expect(await lastWords(agent)).toContain('The server does not know the token')
})

test.each<['READ' | 'ADMIN']>([['READ'], ['ADMIN']])('a token of scope %s gets nothing', async (scope) => {
  const input = { name: scope, scopes: [scope] }
  const { createApiToken } = await app.api.send(AccountCreateApiTokenDocument, { input })
  if (createApiToken.__typename !== 'ApiToken') throw new Error(createApiToken.message)
  const agent = await create({ token: createApiToken.token ?? '' })
  expect(await lastWords(agent)).toContain('The server refuses this node')
})

test('a token serves one data folder: a second machine with it gets nothing, and the first goes on', async () => {
  const { token } = await agentTokenOf(app.api)
  const first = await create({ token, name: 'first' })
  await first.start()
  const second = await create({ token, name: 'second' })
  expect(await lastWords(second)).toContain('This token belongs to compute node first')
  expect(await statusOf('first')).toBe('ONLINE')
})

test('a data folder serves one agent at a time', async () => {
  const first = await create()
  await first.start()
  const second = await create({ dataDir: first.dataDir })
  expect(await lastWords(second)).toBe(`Another Trainyard agent is using the data folder ${first.dataDir}.`)
})

test('a name that another node has is refused', async () => {
  const first = await create({ name: 'taken' })
  await first.start()
  expect(await lastWords(await create({ name: 'taken' }))).toContain('already a compute node named "taken"')
})

test('a revoked token ends the agent, and not its training, which a new token takes up', async () => {
  const { id, token } = await agentTokenOf(app.api)
  const agent = await create({ token, name: 'revoked' })
  await agent.start()
  const given = seed(app.api)
  const script = `console.log('pid ' + process.pid); setInterval(() => {}, 1000)`
  const runId = await given.run({ project: await given.project({ script }), placement: { node: 'revoked' } })
  const [line] = await until('its pid', async () => {
    const log = await given.log(runId)
    return log.length > 0 && log
  })
  const pid = Number(line?.message.split(' ')[1])

  const ended = agent.ended()
  await app.api.send(AccountRevokeApiTokenDocument, { input: { tokenId: id } })
  expect(await ended).toBe(1)
  expect(agent.said.at(-1)).toContain('The server does not know the token')
  expect(isRunning(pid)).toBe(true)

  await agent.start({ token: (await agentTokenOf(app.api)).token })
  await given.cancel(runId, 0)
  expect(await given.end(runId)).toMatchObject({ status: 'CANCELLED' })
  expect(isRunning(pid)).toBe(false)
})

test('where only trusted documents are performed, those of agents are', async () => {
  const trustedDocuments = join(folder, 'documents.json')
  const texts = [AccountCreateApiTokenDocument, LoginDocument].map((document) => print(document))
  const manifest = texts.map((text) => [createHash('sha256').update(text).digest('hex'), text])
  await writeFile(trustedDocuments, JSON.stringify(Object.fromEntries(manifest)))
  const strict = await startTestApp({ trustedDocuments })
  try {
    const { token } = await agentTokenOf(strict.api)
    const agent = await create({ server: strict.url, token })
    await agent.start()
  } finally {
    await strict.stop()
  }
})

test('an address that is no Trainyard server is told, and is not told the token', async () => {
  const heard: unknown[] = []
  const server = await listen((headers) => {
    heard.push(headers.authorization)
    return [200, '<html>hello</html>']
  })
  const agent = await create({ server: urlOf(server) })
  expect(await lastWords(agent)).toContain('is not a Trainyard server')
  expect(heard).toEqual([undefined])
  server.close()
})

test('a server that is not there yet is waited for', async () => {
  let isThere = false
  const server = await listen(() => (isThere ? [200, '{"data":{}}'] : [503, 'no']))
  const agent = await create({ server: urlOf(server) })
  const words = lastWords(agent)
  await until('the agent to say that it waits', () => agent.said.some((line) => line.includes('not reached')))
  isThere = true
  expect(await words).toContain('is not a Trainyard server')
  server.close()
})

test('the token is in no file and no line of the log', async () => {
  const { token } = await agentTokenOf(app.api)
  const agent = await create({ token, environment: { LOG_LEVEL: 'trace' } })
  await agent.start()
  expect(await agent.kill('SIGTERM')).toBe(0)
  expect(agent.said.join('\n')).not.toContain(token)
  expect(await readFile(join(agent.dataDir, 'installation.json'), 'utf8')).not.toContain(token)
})

async function statusOf(name: string): Promise<string | undefined> {
  const { computeNodes } = await app.api.send(AgentTestNodesDocument)
  return computeNodes.edges.find(({ node }) => node.name === name)?.node.status
}

async function listen(
  answer: (headers: Record<string, unknown>) => [status: number, body: string],
): Promise<Server> {
  const server = createServer((req, res) => {
    const [status, body] = answer(req.headers)
    res.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')
  return `http://127.0.0.1:${address.port}`
}
