import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUDIT_ACTIONS } from '../../../src/domains/audit/record.ts'
import { AuditTrailDocument, type AuditTrailQuery } from '../../../src/generated/operations.ts'
import { toSchema } from '../../../src/graphql/index.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import { type ApiClient, createClient } from '../../support/client.ts'
import { seed } from '../../support/seed.ts'
import { RECORDED } from './recorded-mutations.ts'

type Event = AuditTrailQuery['auditEvents']['edges'][number]['node']

let app: TestApp
/** Whatever must never be read in an event. */
const secrets: string[] = [PASSWORD, 'a wrong password']
/** Speaks for the administrator with an API token called `script`. */
let script: ApiClient

beforeAll(async () => {
  app = await startTestApp()
  const { createApiToken: made } = await app.api.send<{ createApiToken: { token: string } }, object>(
    'mutation { createApiToken(input: { name: "script", scopes: [ADMIN] }) { ... on ApiToken { token } } }',
  )
  secrets.push(made.token)
  script = createClient(app.url)
  script.useToken(made.token)
})
afterAll(() => app.stop())

async function events(): Promise<Event[]> {
  const { auditEvents } = await app.api.send(AuditTrailDocument, { first: 100 })
  return auditEvents.edges.map((edge) => edge.node)
}

describe('each mutation', () => {
  const mutations = Object.keys(toSchema().getMutationType()?.getFields() ?? {})

  test('has an entry that says what it writes down, or why nothing', () => {
    expect(Object.keys(RECORDED).sort()).toEqual(mutations.sort())
  })

  test('writes down something that there is an action for', () => {
    const actions = Object.values(RECORDED).filter((entry) => typeof entry === 'string')

    expect(AUDIT_ACTIONS).toEqual(expect.arrayContaining(actions))
    expect(mutations.filter((name) => /audit/i.test(name))).toEqual(['exportAudit']) // none changes an event
  })
})

const PARTS = '... on Node { id } ... on Error { code message }'
const BY_SESSION = { actorName: 'admin', tokenName: null, sessionId: expect.stringMatching(/^ses_/) }
const BY_TOKEN = { actorName: 'admin', tokenName: 'script', sessionId: null }

/** Performs a mutation that must succeed. @returns the id of what it gave */
async function perform(client: ApiClient, field: string, input: string, variables = {}): Promise<string> {
  const data = await client.send<Record<string, { id?: string }>, object>(
    `mutation { ${field}(input: { ${input} }) { ${PARTS} } }`,
    variables,
  )
  const id = data[field]?.id
  if (!id) throw new Error(JSON.stringify(data))
  return id
}

/** An upload that must succeed. @returns the id of what it gave */
async function upload(client: ApiClient, field: string, type: string, file: File): Promise<string> {
  const { data } = await client.upload<Record<string, { id?: string }>, object>(
    `mutation ($input: ${type}!) { ${field}(input: $input) { ${PARTS} } }`,
    { input: { dataset: 'sums', file: null } },
    { 'variables.input.file': file },
  )
  const id = data?.[field]?.id
  if (!id) throw new Error(JSON.stringify(data))
  return id
}

describe('what is done', () => {
  test('to a project with a sign-in is written down with actor, address, sign-in and target', async () => {
    const id = await perform(app.api, 'createProject', 'name: "audited"')
    await perform(app.api, 'updateProject', 'ref: "audited", name: "renamed"')
    await perform(app.api, 'deleteProject', 'ref: "renamed"')

    const about = {
      ...BY_SESSION,
      targetKind: 'Project',
      targetId: id,
      ipAddress: expect.stringContaining('127.0.0.1'),
    }
    expect((await events()).slice(0, 3)).toMatchObject([
      { action: 'PROJECT_DELETED', ...about },
      { action: 'PROJECT_UPDATED', ...about },
      { action: 'PROJECT_CREATED', targetName: 'audited', ...about },
    ])
  })

  test('to a dataset with an API token is written down with the token', async () => {
    const id = await perform(script, 'createDataset', 'name: "sums"')
    const file = await upload(script, 'uploadDatasetFile', 'UploadDatasetFileInput', new File(['a'], 'a.txt'))
    await upload(script, 'uploadTrainConfig', 'UploadTrainConfigInput', new File(['a: 1'], 'a.yaml'))
    await perform(script, 'deleteTrainConfig', 'dataset: "sums"')
    await perform(script, 'deleteDatasetFile', `fileId: "${file}"`)
    await perform(script, 'deleteDataset', 'ref: "sums"')

    const done = (await events()).slice(0, 6)
    expect(done).toMatchObject(done.map(() => BY_TOKEN))
    expect(done.map(({ action }) => action)).toEqual([
      'DATASET_DELETED',
      'DATASET_FILE_DELETED',
      'TRAIN_CONFIG_DELETED',
      'TRAIN_CONFIG_UPLOADED',
      'DATASET_FILE_UPLOADED',
      'DATASET_CREATED',
    ])
    expect(done.at(-1)).toMatchObject({ targetKind: 'Dataset', targetId: id, targetName: 'sums' })
  })

  test('with a run is written down, but not what the run reports', async () => {
    const given = seed(app.api)
    const project = await given.project({ script: 'setInterval(() => {}, 1000)' })
    const runId = await given.run({ project })
    await perform(app.api, 'appendRunLogs', `runId: "${runId}", lines: [{ message: "hello" }]`)
    await perform(app.api, 'logMetrics', `runId: "${runId}", series: [{ key: "a", steps: [1], values: [1] }]`)
    const artifactId = await perform(
      app.api,
      'registerArtifact',
      `runId: "${runId}", uri: "s3://bucket/checkpoint", name: "checkpoint", type: CHECKPOINT`,
    )
    await perform(app.api, 'tagArtifact', `artifactId: "${artifactId}", value: RELEASE`)
    await perform(app.api, 'untagArtifact', `artifactId: "${artifactId}", value: RELEASE`)
    await given.cancel(runId, 0)
    await given.end(runId)

    expect((await events()).slice(0, 6)).toMatchObject([
      { action: 'RUN_CANCELLED', targetKind: 'Run', targetId: runId, target: { id: runId } },
      { action: 'ARTIFACT_UNTAGGED', targetId: artifactId },
      { action: 'ARTIFACT_TAGGED', targetKind: 'Artifact', targetId: artifactId, target: { id: artifactId } },
      { action: 'ARTIFACT_REGISTERED', targetId: artifactId, targetName: 'checkpoint' },
      { action: 'RUN_STARTED', targetKind: 'Run', targetId: runId },
      { action: 'PROJECT_CREATED' },
    ])
  })

  test('in vain leaves nothing', async () => {
    const before = await events()

    await app.api.send(`mutation { deleteProject(input: { ref: "nothing" }) { __typename } }`)
    await app.api.send(`mutation { createProject(input: { name: "" }) { __typename } }`)

    expect(await events()).toEqual(before)
  })
})

/** What is done to accounts, each with what it writes down; each mutation is given what the ones before it made. */
const ACCOUNT_STEPS: [action: string, operation: string][] = [
  [
    'USER_CREATED',
    'createUser(input: { username: "ada", password: "ada’s first password" }) { ... on User { id } }',
  ],
  ['USER_UPDATED', 'updateUser(input: { user: "ada", email: "ada@example.org" }) { ... on User { id } }'],
  ['USER_ROLE_CHANGED', 'updateUser(input: { user: "ada", role: ADMIN }) { ... on User { id } }'],
  ['USER_DEACTIVATED', 'deactivateUser(input: { user: "ada" }) { ... on User { id } }'],
  ['USER_REACTIVATED', 'reactivateUser(input: { user: "ada" }) { ... on User { id } }'],
  [
    'PASSWORD_RESET_REQUESTED',
    'createPasswordReset(input: { user: "ada" }) { ... on PasswordReset { token } }',
  ],
  [
    'PASSWORD_RESET',
    'resetPassword(input: { token: "TOKEN", newPassword: "ada’s next password" }) { ... on Session { token: accessToken } }',
  ],
  ['USER_DELETED', 'deleteUser(input: { user: "ada" }) { ... on User { id } }'],
  [
    'LAUNCHER_CREATED',
    'createLauncher(input: { name: "echo", command: ["echo"], environment: { KEY: "a value to be kept" } }) { ... on Launcher { id } }',
  ],
  [
    'LAUNCHER_UPDATED',
    'updateLauncher(input: { ref: "echo", description: "says it" }) { ... on Launcher { id } }',
  ],
  ['LAUNCHER_DELETED', 'deleteLauncher(input: { ref: "echo" }) { ... on Launcher { id } }'],
  ['INVITATION_CREATED', 'createInvitation(input: {}) { ... on Invitation { id token } }'],
  [
    'USER_REGISTERED',
    'register(input: { username: "eve", password: "eve’s own password", invitationToken: "TOKEN" }) { ... on Session { token: accessToken } }',
  ],
  ['INVITATION_CREATED', 'createInvitation(input: {}) { ... on Invitation { id token } }'],
  ['INVITATION_REVOKED', 'revokeInvitation(input: { invitationId: "ID" }) { ... on Invitation { id } }'],
  ['API_TOKEN_CREATED', 'createApiToken(input: { name: "brief" }) { ... on ApiToken { id token } }'],
  ['API_TOKEN_REVOKED', 'revokeApiToken(input: { tokenId: "ID" }) { ... on ApiToken { id } }'],
  ['USER_UPDATED', 'updatePreferences(input: { theme: DARK }) { ... on User { id } }'],
  ['AUDIT_EXPORTED', 'exportAudit(input: { format: CSV }) { ... on AuditExport { token: url } }'],
  ['SIGNED_OUT_EVERYWHERE', 'logoutEverywhere(input: { exceptCurrent: true }) { ... on User { id } }'],
]

test('what is done to accounts is written down, in order', async () => {
  let last: { id?: string; token?: string } = {}
  for (const [, operation] of ACCOUNT_STEPS) {
    // In one go, because a token may have ID in it.
    const text = operation.replace(/"(TOKEN|ID)"/g, (_text, what) =>
      JSON.stringify(what === 'ID' ? last.id : last.token),
    )
    const data = await app.api.send<Record<string, { id?: string; token?: string }>, object>(
      `mutation { done: ${text} }`,
    )
    last = data.done ?? {}
    secrets.push(...(last.token ? [last.token] : []))
  }
  secrets.push('first password', 'next password', 'own password', 'a value to be kept')

  const done = (await events()).slice(0, ACCOUNT_STEPS.length).reverse()

  expect(done.map(({ action }) => action)).toEqual(ACCOUNT_STEPS.map(([action]) => action))
})

test('no event holds a password or a token', async () => {
  const stranger = createClient(app.url)
  await stranger.signIn('admin', 'a wrong password').catch(() => undefined)
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      query: `mutation { login(input: { username: "admin", password: "${PASSWORD}" }) { ... on Session { accessToken } } }`,
    }),
  })
  const { data } = await response.json()
  const cookie = response.headers.getSetCookie()[0]?.split(/[=;]/)[1] ?? ''
  secrets.push(data.login.accessToken, cookie)

  const text = JSON.stringify(await events())

  expect(secrets.every((secret) => secret.length >= 8)).toBe(true)
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
})
