import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import { CatalogCreateApiTokenDocument } from '../../src/generated/operations.ts'
import { encodeEncryptionKey, newEncryptionKey } from '../../src/secrets/encryption-key.ts'
import { secretPurpose } from '../../src/secrets/sealed-columns.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { PASSWORD } from '../support/app.ts'
import { createClient } from '../support/client.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const KEY = newEncryptionKey()
const SMTP_PASSWORD = 'smtp-pässword-7c1'
/** Tells where it is and what it was given, and waits to be cancelled. */
const SCRIPT = `
  const { pid, ppid, env } = process
  const draft = env.TRAINYARD_OUTPUT_DIR + '/draft'
  require('node:fs').writeFileSync(draft, JSON.stringify({ pid, ppid, env }))
  require('node:fs').renameSync(draft, env.TRAINYARD_OUTPUT_DIR + '/process.json')
  setInterval(() => {}, 1000)
`

let folder: string
let server: ServerProcess
/** Everything secret there is, by what it is, in every form it may be written in. */
const secrets = new Map<string, string[]>()
/** What the server answered to what it could not do. */
const answers: string[] = []
let run: { pid: number; ppid: number; env: Record<string, string> }

const logFile = () => join(folder, 'server.log')
const keep = (what: string, ...forms: string[]) => secrets.set(what, forms)
const graphql = (body: string, headers: Record<string, string> = {}, path = '/graphql') =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  const smtpUrl = `smtps://trainyard:${encodeURIComponent(SMTP_PASSWORD)}@127.0.0.1:1`
  server = await startServerProcess(
    {
      LOG_LEVEL: 'trace',
      TRAINYARD_SECRET_KEY: encodeEncryptionKey(KEY),
      TRAINYARD_SMTP_URL: smtpUrl,
      TRAINYARD_MAIL_FROM: 'trainyard@example.org',
    },
    { logFile: logFile() },
  )
  keep('the password', PASSWORD)
  keep('the password of the SMTP server', SMTP_PASSWORD, encodeURIComponent(SMTP_PASSWORD))
  const bytes = KEY.key.export()
  keep(
    'the key-encryption key',
    ...(['base64', 'base64url', 'hex'] as const).map((form) => bytes.toString(form)),
  )
  await keepSigningKeys()
  await useEverything()
  await failAtEverything()
})
afterAll(async () => {
  await server.dispose()
  await rm(folder, { recursive: true, force: true })
})

async function keepSigningKeys() {
  const database = await openDatabase(join(server.dataDir, 'trainyard.db'))
  for (const { name, sealed } of await database.prisma.secret.findMany()) {
    const key = createSealer([KEY]).open(sealed, secretPurpose(name))
    keep(
      name,
      key,
      ...(['base64', 'hex'] as const).map((form) => Buffer.from(key, 'base64url').toString(form)),
    )
  }
  await database.close()
}

/** Signs in, makes a token, and starts a run. */
async function useEverything() {
  const signIn = await graphql(
    JSON.stringify({
      query: `mutation { login(input: { username: "admin", password: "${PASSWORD}" }) { ... on Session { accessToken } } }`,
    }),
  )
  keep('the access token', /"accessToken":"([^"]+)"/.exec(await signIn.text())?.[1] ?? '')
  keep('the refresh token', /^[^=]+=([^;]+)/.exec(signIn.headers.getSetCookie()[0] ?? '')?.[1] ?? '')

  const input = { name: 'nightly' }
  const { createApiToken } = await server.api.send(CatalogCreateApiTokenDocument, { input })
  const token = createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? '') : ''
  keep('the API token', token, token.slice(3))
  const script = createClient(server.url)
  script.useToken(token)
  await script.send('{ viewer { username } }')

  const given = seed(server.api)
  const runId = await given.run({ project: await given.project({ script: SCRIPT }) })
  const output = join(server.dataDir, 'runs', runId, 'output/process.json')
  run = JSON.parse(
    await until('the run to say where it is', () => readFile(output, 'utf8').catch(() => null)),
  )
}

/** Sends secrets where they do not belong, and keeps what is said to it. */
async function failAtEverything() {
  const [access = ''] = secrets.get('the access token') ?? []
  const [token = ''] = secrets.get('the API token') ?? []
  const login = (fields: string) =>
    JSON.stringify({ query: `mutation { login(input: { ${fields} }) { __typename } }` })
  const bearer = (value: string) => ({ Authorization: `Bearer ${value}` })
  const responses = [
    graphql(login(`username: "eve", password: "${PASSWORD}"`)),
    graphql(login(`username: "admin", password: "${PASSWORD}", twice: 1`)),
    graphql(login(`username: "admin", password: ${JSON.stringify(PASSWORD)} `).slice(0, -3)),
    graphql(JSON.stringify({ query: `mutation { login(input: { password: "${PASSWORD}" ` })),
    graphql('{"query":"{ viewer { username } }"}', bearer(`${access}x`)),
    graphql('{"query":"{ viewer { username } }"}', bearer(`${token}x`)),
    graphql('{"query":"{ nothing }"}', bearer(token)),
    graphql(`{"query":"{ viewer }"`, bearer(token)),
    graphql('{"query":"{ viewer { username } }"}', { Cookie: `trainyard=${access}` }),
    fetch(`${server.url}/account/reset-password`, { headers: bearer(token), method: 'POST' }),
    fetch(`${server.url}/nowhere`, { headers: bearer(token) }),
    fetch(`${server.url}/downloads/files/ds_1`, { headers: bearer(token) }),
  ]
  // GraphQL quotes a value of a wrong type to whoever sent it; what matters is that nobody else hears of it.
  const variables = { input: { username: 'admin', password: [PASSWORD] } }
  const query = 'mutation ($input: LoginInput!) { login(input: $input) { __typename } }'
  await graphql(JSON.stringify({ query, variables }))
  for (const response of responses) answers.push(await (await response).text())
}

test('there is something to look for', async () => {
  expect([...secrets.keys()].sort()).toEqual([
    'signing-key download',
    'signing-key session',
    'the API token',
    'the access token',
    'the key-encryption key',
    'the password',
    'the password of the SMTP server',
    'the refresh token',
  ])
  for (const [what, forms] of secrets) for (const form of forms) expect(form.length, what).toBeGreaterThan(8)
  expect(answers.filter((answer) => answer !== '').length).toBeGreaterThan(10)
})

describe('no secret is', () => {
  const expectNone = (text: string, where: string) => {
    for (const [what, forms] of secrets) {
      for (const form of forms) expect(text.includes(form), `${what} in ${where}`).toBe(false)
    }
  }

  test('in the log, however much it says', async () => {
    const log = await readFile(logFile(), 'utf8')

    expect(log).toContain('listening')
    expectNone(log, 'the log')
  })

  test('in what is said of errors', () => {
    for (const answer of answers) expectNone(answer, answer)
  })

  test('in the list of processes', async () => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
    const commands = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    )

    expect(commands.join('\n')).toContain('main.ts')
    expectNone(commands.join('\n'), 'the list of processes')
  })

  test('in the environment of what the server starts, but for the token of the run in its own', async () => {
    const environmentOf = async (pid: number) => (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
    const given = (await environmentOf(run.pid)).filter((line) => line.startsWith('TRAINYARD_'))

    expectNone((await environmentOf(run.pid)).join('\n'), 'the run')
    expectNone((await environmentOf(run.ppid)).join('\n'), 'its supervisor')
    expect(await environmentOf(run.ppid)).not.toContainEqual(expect.stringContaining('ty_'))
    expect(given.map((line) => line.split('=', 1)[0]).sort()).toEqual([
      'TRAINYARD_API_URL',
      'TRAINYARD_CONFIG',
      'TRAINYARD_OUTPUT_DIR',
      'TRAINYARD_RUN_ID',
      'TRAINYARD_TOKEN',
    ])
  })
})
