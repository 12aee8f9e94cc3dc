import { join } from 'node:path'
import { openDatabase } from '../../src/db/database.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { type ApiClient, createClient } from '../support/client.ts'
import { deleteDeployments } from '../support/delete-deployments.ts'
import { endRuns } from '../support/end-runs.ts'
import { givenPerson, type Person } from '../support/people.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'
import { ask } from './send.ts'
import type { Role, Subject } from './table.ts'

/** Tells its token, reports a metric, saves a checkpoint and goes on until it is ended. */
const COMMAND = [
  'bash',
  '-c',
  'mkdir -p "$TRAINYARD_OUTPUT_DIR/checkpoint-1" && echo weights > "$TRAINYARD_OUTPUT_DIR/checkpoint-1/model.bin" && ' +
    'echo "token $TRAINYARD_TOKEN" && echo "step=1 loss=0.5" && exec sleep 600',
]

/** Loads for ever. */
export const ENGINE_COMMAND = ['bash', '-c', 'exec sleep 600', '{model}', '{port}']

/** The three kinds of projects that the table knows. */
const REALMS = ['shared', 'team', 'foreign'] as const
type Realm = (typeof REALMS)[number]

/** A project with something of everything in it, by their ids. */
export interface Things {
  Project: string
  projectName: string
  /** It runs, and continues `overRun`. */
  Run: string
  overRun: string
  Artifact: string
  Dataset: string
  datasetName: string
  DatasetFile: string
  Deployment: string
  /** Somebody has acknowledged it; of `overRun`. */
  Alert: string
  /** Of `Run`. */
  openAlert: string
}

/** What belongs to an account. */
export interface Belongings {
  User: string
  username: string
  UserSession: string
  ApiToken: string
  dataset: string
}

/** A server with people of every role and something of everything. */
export interface World {
  app: TestApp
  /** Speaks for somebody of a role. */
  as(role: Role): ApiClient
  /** The person behind a role; the owner for those who are none. */
  personOf(role: Role): Person
  /** Whose account is the `other` one; nobody's among the roles. */
  other: Person
  /** Speaks for who made what a subject is, and may do everything with it. */
  makerOf(subject: Subject): ApiClient
  /** What there is of a subject that a project is. */
  things(subject: Subject): Things
  /** What belongs to the account that a subject is, for a role. */
  belongings(subject: Subject, role: Role): Belongings
  /** What there is once. */
  Invitation: string
  AuditEvent: string
  Launcher: string
  AlertRule: string
  /** It has deliveries. */
  Webhook: string
  /** An alert of a run of a subject. */
  newAlert(subject: Subject, runId: string): Promise<string>
  /** A project like that of a subject, made for a test that may end it. */
  newProject(subject: Subject, datasetName?: string): Promise<{ id: string; name: string }>
  /** A deployment of an artifact, made for a test that may end it. */
  newDeployment(subject: Subject, artifactId: string): Promise<string>
  /** The name of an engine. */
  engine: string
  newName(): string
  stop(): Promise<void>
}

export async function createWorld(): Promise<World> {
  const app = await startTestApp({
    registration: 'open',
    rateLimitPoints: 0,
    rateLimitAnonymousRequests: 0,
    maxConcurrentRuns: 4,
    deploymentPorts: { first: 18_500, last: 18_599 },
  })
  let made = 0
  const newName = () => `thing-${++made}`

  const people = {
    admin: await givenPerson(app, 'ADMIN', 'the-admin'),
    stranger: await givenPerson(app, 'MEMBER', 'the-stranger'),
    viewer: await givenPerson(app, 'MEMBER', 'the-viewer'),
    editor: await givenPerson(app, 'MEMBER', 'the-editor'),
    owner: await givenPerson(app, 'MEMBER', 'the-owner'),
    expired: await givenPerson(app, 'MEMBER', 'the-expired'),
    /** Made what is `team` and `foreign`, and is the `other` account. */
    other: await givenPerson(app, 'MEMBER', 'the-other'),
  }
  const makers = { shared: people.owner.api, team: people.other.api, foreign: people.other.api }

  const Launcher = await ask(people.admin.api, 'createLauncher', {
    name: 'the-launcher',
    command: COMMAND,
    environment: { KEY: 'for administrators' },
  })

  async function newProject(subject: Subject, datasetName?: string): Promise<{ id: string; name: string }> {
    const maker = makers[realmOf(subject)]
    const name = newName()
    const visibility = subject === 'team' ? 'TEAM' : 'PRIVATE'
    const id = await ask(maker, 'createProject', { name, visibility, datasetName, launcher: Launcher })
    if (subject === 'shared') {
      const roles = { viewer: 'VIEWER', editor: 'EDITOR', expired: 'OWNER' } as const
      for (const [who, role] of Object.entries(roles)) {
        await ask(maker, 'setProjectMember', { project: name, user: `the-${who}`, role })
      }
    }
    return { id, name }
  }

  const engine = 'the-engine'
  await ask(people.admin.api, 'createEngine', { name: engine, command: ENGINE_COMMAND })

  const newDeployment = (subject: Subject, artifactId: string) =>
    ask(makers[realmOf(subject)], 'createDeployment', { artifactId, engine, environment: 'staging' })

  const AlertRule = await ask(people.admin.api, 'createAlertRule', {
    name: 'the-rule',
    condition: 'RUN_METRIC_NOT_FINITE',
  })
  // Nobody listens at that port.
  const Webhook = await ask(people.admin.api, 'createWebhook', {
    name: 'the-webhook',
    url: 'http://127.0.0.1:9/',
  })

  async function newAlert(subject: Subject, runId: string): Promise<string> {
    const maker = makers[realmOf(subject)]
    const series = [{ key: 'loss', steps: [2], values: [0], nonFinite: ['NAN'] }]
    await ask(maker, 'logMetrics', { runId, series })
    return until('the alert', async () => {
      const { alerts } = await maker.send<
        { alerts: { edges: { node: { id: string; rule: { id: string } | null } }[] } },
        object
      >('query ($runId: ID!) { alerts(filter: { subject: $runId }) { edges { node { id rule { id } } } } }', {
        runId,
      })
      return alerts.edges.find(({ node }) => node.rule?.id === AlertRule)?.node.id
    })
  }

  async function newThings(realm: Realm): Promise<Things> {
    const maker = makers[realm]
    const given = seed(maker)
    const project = await newProject(realm)
    const datasetName = await given.dataset(newName(), { 'a.txt': 'text' }, 'a: 1')
    const place = realm === 'team' ? { visibility: 'TEAM' } : { project: project.name }
    const dataset = await ask(maker, 'updateDataset', { ref: datasetName, ...place })
    await ask(maker, 'updateProject', { ref: project.name, datasetName })
    const overRun = await given.run({ project: project.name })
    await given.when(overRun, 'saved', (run) => run.artifacts.totalCount > 0 && run.metrics.length > 0)
    const alert = await newAlert(realm, overRun)
    await ask(maker, 'acknowledgeAlert', { alertId: alert })
    await given.cancel(overRun, 0)
    await given.end(overRun)
    const run = await given.resume({ runId: overRun })
    const state = await given.when(
      run,
      'saved',
      (run) => run.artifacts.totalCount > 0 && run.metrics.length > 0,
    )
    const artifact = state.artifacts.edges[0]?.node.id ?? ''
    await ask(maker, 'tagArtifact', { artifactId: artifact, value: 'CANDIDATE' })
    const { dataset: stored } = await maker.send<{ dataset: { files: { id: string }[] } }, object>(
      'query ($ref: String!) { dataset(ref: $ref) { files { id } } }',
      { ref: dataset },
    )
    return {
      Project: project.id,
      projectName: project.name,
      Run: run,
      overRun,
      Artifact: artifact,
      Dataset: dataset,
      datasetName,
      DatasetFile: stored.files[0]?.id ?? '',
      Deployment: await newDeployment(realm, artifact),
      Alert: alert,
      openAlert: await newAlert(realm, run),
    }
  }

  async function belongingsOf({ api, id, username }: Person): Promise<Belongings> {
    const ApiToken = await ask(api, 'createApiToken', { name: newName() })
    const { viewer } = await api.send<
      { viewer: { sessions: { edges: { node: { id: string } }[] } } },
      object
    >('{ viewer { sessions { edges { node { id } } } } }')
    const dataset = await ask(api, 'createDataset', { name: newName() })
    await ask(api, 'updatePreferences', { theme: 'DARK' })
    await ask(people.admin.api, 'updateUser', { user: id, email: `${username}@example.org` })
    return { User: id, username, UserSession: viewer.sessions.edges[0]?.node.id ?? '', ApiToken, dataset }
  }

  const [shared, foreign] = await Promise.all([newThings('shared'), newThings('foreign')])
  // Last, so that whoever watches all runs is told of this one after the others.
  const team = await newThings('team')
  const realms = { shared, team, foreign }
  const belongings = new Map<Person, Belongings>()
  for (const person of Object.values(people)) belongings.set(person, await belongingsOf(person))

  const admin = people.admin.api
  const { createInvitation } = await admin.send<{ createInvitation: { id: string; token: string } }, object>(
    `mutation ($project: String!) { createInvitation(input: { project: $project, projectRole: VIEWER }) {
      ... on Invitation { id token }
    } }`,
    { project: foreign.Project },
  )
  await createClient(app.url).send(
    `mutation ($token: String!) { register(input: {
      username: "the-invited", password: "a password of theirs", invitationToken: $token
    }) { __typename } }`,
    { token: createInvitation.token },
  )
  const { auditEvents } = await admin.send<{ auditEvents: { edges: { node: { id: string } }[] } }, object>(
    'query ($target: String!) { auditEvents(filter: { target: $target, action: PROJECT_CREATED }) { edges { node { id } } } }',
    { target: foreign.Project },
  )
  await expirePassword(app.dataDir, people.expired.id)

  const withToken = (token: string | null) => {
    const client = createClient(app.url)
    client.useToken(token)
    return client
  }
  const clients: Record<Role, ApiClient> = {
    anonymous: createClient(app.url),
    stranger: people.stranger.api,
    viewer: people.viewer.api,
    editor: people.editor.api,
    owner: people.owner.api,
    admin,
    adminRun: withToken(await newToken(admin, 'RUN')),
    ownerRead: withToken(await newToken(people.owner.api, 'READ')),
    process: withToken(await tokenOfProcess(people.owner.api, shared.Run)),
    expired: people.expired.api,
  }
  const persons: Record<Role, Person> = {
    ...people,
    anonymous: people.owner,
    adminRun: people.admin,
    ownerRead: people.owner,
    process: people.owner,
  }
  const belongingsOfPerson = (person: Person) => {
    const found = belongings.get(person)
    if (!found) throw new Error(`${person.username} has nothing`)
    return found
  }

  return {
    app,
    as: (role) => clients[role],
    personOf: (role) => persons[role],
    other: people.other,
    makerOf: (subject) => makers[realmOf(subject)],
    things: (subject) => realms[realmOf(subject)],
    belongings: (subject, role) => belongingsOfPerson(subject === 'own' ? persons[role] : people.other),
    Invitation: createInvitation.id,
    AuditEvent: auditEvents.edges[0]?.node.id ?? '',
    Launcher,
    AlertRule,
    Webhook,
    newAlert,
    newProject,
    newDeployment,
    engine,
    newName,
    async stop() {
      await endRuns(app.api)
      await deleteDeployments(app.api)
      const all = [...Object.values(clients), people.other.api]
      await Promise.all(all.map((client) => client.close()))
      await app.stop()
    },
  }
}

function realmOf(subject: Subject): Realm {
  return REALMS.find((realm) => realm === subject) ?? 'foreign'
}

async function newToken(api: ApiClient, scope: string): Promise<string> {
  const { createApiToken } = await api.send<{ createApiToken: { token: string } }, object>(
    `mutation { createApiToken(input: { name: "for the test", scopes: [${scope}] }) { ... on ApiToken { token } } }`,
  )
  return createApiToken.token
}

/** What the process of a run got for its token, as it printed it. */
async function tokenOfProcess(api: ApiClient, runId: string): Promise<string> {
  return until('the token to be printed', async () => {
    const lines = await seed(api).log(runId)
    return lines.find(({ message }) => message.startsWith('token '))?.message.slice('token '.length)
  })
}

async function expirePassword(dataDir: string, userId: string): Promise<void> {
  const database = await openDatabase(join(dataDir, 'trainyard.db'))
  await database.transaction((tx) =>
    tx.user.update({ where: { id: userId }, data: { mustChangePassword: true } }),
  )
  await database.close()
}
