import { OWN_NODE_ID } from '../../src/domains/compute-nodes/own-node.ts'
import type { ApiClient } from '../support/client.ts'
import { type Person, signInAgain } from '../support/people.ts'
import { type AskFor, type Asking, createSamples } from './asking.ts'
import { ask } from './send.ts'
import type { Role, Subject } from './table.ts'
import { ENGINE_COMMAND, type World } from './world.ts'

const PASSWORD = 'a password of theirs'
const sample = createSamples()

/** Of agents everything is refused that is no agent, whether there is what it names or not. */
export const EXECUTION = 'exe_00000000000000000000000000'

/** How the mutations are asked. Whatever they may end is made for them. */
export const MUTATIONS: Record<string, AskFor> = {
  'Mutation.createProject': (world) => input({ name: world.newName() }),
  'Mutation.updateProject': (world, subject) => {
    const { Project } = world.things(subject)
    return input({ ref: Project, description: world.newName() }, Project)
  },
  'Mutation.updateProject (by name)': (world, subject) => {
    const { projectName } = world.things(subject)
    return input({ ref: projectName, description: world.newName() }, projectName)
  },
  'Mutation.updateProject (visibility)': async (world, subject) => {
    const { sample: project, spend } = await sample(`show ${subject}`, () => world.newProject(subject))
    const visibility = subject === 'team' ? 'PRIVATE' : 'TEAM'
    return { ...input({ ref: project.id, visibility }, project.id), spend }
  },
  'Mutation.updateProject (owner)': async (world, subject) => {
    const { sample: project, spend } = await sample(`hand over ${subject}`, () => world.newProject(subject))
    const owner = world.personOf('stranger').username
    return { ...input({ ref: project.id, owner }, project.id), spend }
  },
  'Mutation.deleteProject': async (world, subject) => {
    const { sample: project, spend } = await sample(`delete ${subject}`, () => world.newProject(subject))
    return { ...input({ ref: project.id }, project.id), spend }
  },
  'Mutation.setProjectMember': (world, subject) => {
    const { Project } = world.things(subject)
    // For those who are members already nothing changes, and nobody becomes one that the table has as a stranger.
    const user = subject === 'shared' ? 'the-viewer' : 'the-invited'
    return input({ project: Project, user, role: 'VIEWER' }, Project)
  },
  'Mutation.removeProjectMember': async (world, subject) => {
    const maker = world.makerOf(subject)
    const { sample: project, spend } = await sample(`member of ${subject}`, async () => {
      const made = await world.newProject(subject)
      await ask(maker, 'setProjectMember', { project: made.id, user: 'the-invited', role: 'VIEWER' })
      return made
    })
    return { ...input({ project: project.id, user: 'the-invited' }, project.id), spend }
  },

  'Mutation.createDataset': (world) => input({ name: world.newName() }),
  'Mutation.createDataset (in a project)': (world, subject) => {
    const { Project } = world.things(subject)
    return input({ name: world.newName(), project: Project }, Project)
  },
  'Mutation.updateDataset': (world, subject) => {
    const { Dataset } = world.things(subject)
    return input({ ref: Dataset, source: world.newName() }, Dataset)
  },
  'Mutation.deleteDataset': async (world, subject) => {
    const { sample: dataset, spend } = await sample(`dataset ${subject}`, () => newDataset(world, subject))
    return { ...input({ ref: dataset }, dataset), spend }
  },
  'Mutation.uploadDatasetFile': async (world, subject) => {
    const { sample: dataset } = await sample(`files ${subject}`, () => newDataset(world, subject))
    return upload(dataset, new File(['text'], `${world.newName()}.txt`))
  },
  'Mutation.deleteDatasetFile': async (world, subject) => {
    const { sample: fileId, spend } = await sample(`file ${subject}`, () => newFile(world, subject))
    return { ...input({ fileId }, fileId), spend }
  },
  'Mutation.uploadTrainConfig': async (world, subject) => {
    const { sample: dataset } = await sample(`configs ${subject}`, () => newDataset(world, subject))
    return upload(dataset, new File(['a: 1'], 'train.yaml'))
  },
  'Mutation.deleteTrainConfig': async (world, subject) => {
    const { sample: dataset } = await sample(`bare ${subject}`, () => newDataset(world, subject))
    return { ...input({ dataset }, dataset), passes: ['PRECONDITION_FAILED'] } // it has none
  },

  'Mutation.startRun': (world, subject) => {
    const { Project } = world.things(subject)
    return input({ project: Project }, Project)
  },
  'Mutation.cancelRun': async (world, subject) => {
    const { Project } = world.things(subject)
    const { sample: runId, spend } = await sample(`run ${subject}`, () =>
      ask(world.makerOf(subject), 'startRun', { project: Project }),
    )
    return { ...input({ runId, graceSeconds: 0 }, runId), spend }
  },
  'Mutation.startRuns': (world, subject) => {
    const { Project } = world.things(subject)
    return { ...input({ runs: [{ project: Project }] }, Project), selection: batch('RunBatch') }
  },
  'Mutation.cancelRuns': async (world, subject) => {
    const { Project } = world.things(subject)
    const { sample: runId, spend } = await sample(`run of a batch ${subject}`, () =>
      ask(world.makerOf(subject), 'startRun', { project: Project }),
    )
    const selection = batch('RunCancellation')
    return { ...input({ runIds: [runId], graceSeconds: 0 }, runId), selection, spend }
  },
  'Mutation.cancelRuns (of a project)': async (world, subject) => {
    const { sample: project, spend } = await sample(`busy ${subject}`, async () => {
      const { id } = await world.newProject(subject)
      await ask(world.makerOf(subject), 'startRun', { project: id })
      return id
    })
    return { ...input({ project, graceSeconds: 0 }, project), selection: batch('RunCancellation'), spend }
  },
  'Mutation.resumeRun': (world, subject) => {
    const { overRun } = world.things(subject)
    return input({ runId: overRun }, overRun)
  },
  'Mutation.logMetrics': (world, subject) => {
    const { Run } = world.things(subject)
    return input({ runId: Run, series: [{ key: 'reported', steps: [1], values: [1] }] }, Run)
  },
  'Mutation.appendRunLogs': (world, subject) => {
    const { Run } = world.things(subject)
    return input({ runId: Run, lines: [{ message: 'reported' }] }, Run)
  },
  'Mutation.registerArtifact': (world, subject) => {
    const { Run } = world.things(subject)
    return input({ runId: Run, uri: `s3://bucket/${world.newName()}` }, Run)
  },
  'Mutation.tagArtifact': (world, subject) => {
    const { Artifact } = world.things(subject)
    return input({ artifactId: Artifact, value: 'ARCHIVED' }, Artifact)
  },
  'Mutation.untagArtifact': async (world, subject) => {
    const { Artifact } = world.things(subject)
    const tag = { artifactId: Artifact, value: 'RELEASE' }
    const { spend } = await sample(`tag ${subject}`, () => ask(world.makerOf(subject), 'tagArtifact', tag))
    return { ...input(tag, Artifact), spend }
  },

  'Mutation.createDeployment': (world, subject) => {
    const { Artifact } = world.things(subject)
    return input({ artifactId: Artifact, engine: world.engine, name: world.newName() }, Artifact)
  },
  // It is being served: that it is not started a second time is all that is said of it.
  'Mutation.startDeployment': (world, subject) => {
    const { Deployment } = world.things(subject)
    return { ...input({ deploymentId: Deployment }, Deployment), passes: ['CONFLICT'] }
  },
  'Mutation.updateDeployment': (world, subject) => {
    const { Deployment } = world.things(subject)
    return input({ deploymentId: Deployment, tags: [world.newName()] }, Deployment)
  },
  'Mutation.stopDeployment': async (world, subject) => {
    const { sample: deploymentId, spend } = await sample(`stop ${subject}`, () =>
      newDeployment(world, subject),
    )
    return { ...input({ deploymentId, force: true }, deploymentId), spend }
  },
  'Mutation.deleteDeployment': async (world, subject) => {
    const { sample: deploymentId, spend } = await sample(`remove ${subject}`, () =>
      newDeployment(world, subject),
    )
    return { ...input({ deploymentId }, deploymentId), spend }
  },

  // Once somebody has, that somebody has is all that is said of it.
  'Mutation.acknowledgeAlert': async (world, subject) => {
    const { sample: alertId } = await sample(`alert ${subject}`, async () => {
      const { Project } = world.things(subject)
      const runId = await ask(world.makerOf(subject), 'startRun', { project: Project })
      return world.newAlert(subject, runId)
    })
    return { ...input({ alertId }, alertId), passes: ['CONFLICT'] }
  },
  'Mutation.createAlertRule': (world) => input({ name: world.newName(), condition: 'RUN_LOST' }),
  'Mutation.updateAlertRule': (world) => input({ ruleId: world.AlertRule, level: 'INFO' }),
  'Mutation.deleteAlertRule': async (world) => {
    const { sample: ruleId, spend } = await sample('alert rule', () =>
      ask(world.as('admin'), 'createAlertRule', { name: world.newName(), condition: 'RUN_LOST' }),
    )
    return { ...input({ ruleId }), spend }
  },
  'Mutation.createWebhook': (world) =>
    input({ name: world.newName(), url: 'http://127.0.0.1:9/', enabled: false }),
  'Mutation.updateWebhook': (world) => input({ webhookId: world.Webhook, minimumLevel: 'INFO' }),
  'Mutation.deleteWebhook': async (world) => {
    const { sample: webhookId, spend } = await sample('webhook', () =>
      ask(world.as('admin'), 'createWebhook', { name: world.newName(), url: 'http://127.0.0.1:9/' }),
    )
    return { ...input({ webhookId }), spend }
  },
  'Mutation.testWebhook': (world) => input({ webhookId: world.Webhook }),

  'Mutation.login': (world) => input({ username: world.other.username, password: world.other.password }),
  // Without a cookie there is no session to go on with, whoever asks.
  'Mutation.refreshSession': () => ({ args: {}, passes: ['UNAUTHENTICATED'] }),
  'Mutation.register': (world) => input({ username: world.newName(), password: PASSWORD }),
  // This server sends no mail, and says so to everybody.
  'Mutation.requestPasswordReset': (world) => ({
    ...input({ username: world.other.username }),
    passes: ['UNAVAILABLE'],
  }),
  'Mutation.resetPassword': async (world) => {
    const { createPasswordReset } = await world
      .as('admin')
      .send<{ createPasswordReset: { token: string } }, object>(
        'mutation { createPasswordReset(input: { user: "the-invited" }) { ... on PasswordReset { token } } }',
      )
    return input({ token: createPasswordReset.token, newPassword: world.newName().padEnd(20, '!') })
  },
  'Mutation.logout': async (world, _subject, role) => ({ args: {}, as: await anotherClient(world, role) }),
  // A password that is wrong is refused after everything else.
  'Mutation.changePassword': () => ({
    ...input({ currentPassword: 'not the password', newPassword: 'another password' }),
    passes: ['VALIDATION_FAILED'],
  }),
  'Mutation.updateAccount': () => ({
    ...input({ currentPassword: 'not the password', email: 'somebody@example.org' }),
    passes: ['VALIDATION_FAILED'],
  }),
  'Mutation.logoutEverywhere': () => input({ exceptCurrent: true }),
  'Mutation.updatePreferences': () => input({ theme: 'DARK' }),
  'Mutation.createApiToken': (world) => input({ name: world.newName() }),
  'Mutation.revokeApiToken': async (world, subject, role) => {
    if (role === 'expired' && subject === 'own')
      return input({ tokenId: world.belongings(subject, role).ApiToken })
    const { api, username } = accountOf(world, subject, role)
    const { sample: tokenId, spend } = await sample(`token of ${username}`, () =>
      ask(api, 'createApiToken', { name: world.newName() }),
    )
    return { ...input({ tokenId }, tokenId), spend }
  },
  'Mutation.revokeSession': async (world, subject, role) => {
    if (role === 'expired' && subject === 'own')
      return input({ sessionId: world.belongings(subject, role).UserSession })
    const person = accountOf(world, subject, role)
    const { sample: sessionId, spend } = await sample(`session of ${person.username}`, () =>
      newSession(world, person),
    )
    return { ...input({ sessionId }, sessionId), spend }
  },

  'Mutation.createInvitation': () => input({}),
  'Mutation.revokeInvitation': async (world) => {
    const { sample: invitationId, spend } = await sample('invitation', () =>
      ask(world.as('admin'), 'createInvitation', {}),
    )
    return { ...input({ invitationId }), spend }
  },
  'Mutation.createUser': (world) => input({ username: world.newName() }),
  'Mutation.updateUser': async (world) => input({ user: await someUser(world), username: world.newName() }),
  'Mutation.deactivateUser': async (world) => input({ user: await newUser(world) }),
  'Mutation.reactivateUser': async (world) => {
    const user = await newUser(world)
    await ask(world.as('admin'), 'deactivateUser', { user })
    return input({ user })
  },
  'Mutation.deleteUser': async (world) => input({ user: await newUser(world) }),
  'Mutation.createPasswordReset': async (world) => input({ user: await someUser(world) }),
  'Mutation.exportAudit': () => input({ format: 'CSV' }),

  'Mutation.registerAgent': (world) =>
    input({ name: world.newName(), installationId: '0123456789abcdef', agentVersion: '1', hardware: {} }),
  'Mutation.sendHeartbeat': () => input({}),
  'Mutation.reportExecution': () => input({ executionId: EXECUTION }),
  'Mutation.uploadExecutionFile': () =>
    input({ executionId: EXECUTION, offset: 0, sizeBytes: 0, sha256: '', chunk: new File([], 'chunk') }),
  'Mutation.putExecutionResult': () =>
    input({ executionId: EXECUTION, name: 'checkpoint-1', isFolder: true, files: [] }),
  'Mutation.removeExecutionResults': () => input({ executionId: EXECUTION, names: [] }),
  'Mutation.releaseExecution': () => input({ executionId: EXECUTION }),
  'Mutation.createEngine': (world) => input({ name: world.newName(), command: ENGINE_COMMAND }),
  'Mutation.updateEngine': (world) => input({ ref: world.engine, description: world.newName() }),
  'Mutation.deleteEngine': async (world) => {
    const { sample: ref, spend } = await sample('engine', async () => {
      const name = world.newName()
      await ask(world.as('admin'), 'createEngine', { name, command: ENGINE_COMMAND })
      return name
    })
    return { ...input({ ref }), spend }
  },

  'Mutation.operateComputeNode': () => input({ computeNodeId: OWN_NODE_ID, operation: 'START' }),
  'Mutation.updateComputeNode': (world) => input({ computeNodeId: OWN_NODE_ID, location: world.newName() }),
  // The server's own machine stays.
  'Mutation.deleteComputeNode': () => ({ ...input({ computeNodeId: OWN_NODE_ID }), passes: ['CONFLICT'] }),

  'Mutation.createLauncher': (world) => input({ name: world.newName(), command: ['true'] }),
  'Mutation.updateLauncher': (world) => input({ ref: world.Launcher, description: world.newName() }),
  'Mutation.deleteLauncher': async (world) => {
    const { sample: ref, spend } = await sample('launcher', () =>
      ask(world.as('admin'), 'createLauncher', { name: world.newName(), command: ['true'] }),
    )
    return { ...input({ ref }), spend }
  },
}

/** What came of each part of a batch. */
const batch = (type: string) =>
  `{ ... on ${type} { results { __typename ... on Run { id } ... on Error { code message } } } ... on Error { code message } }`

function input(fields: object, about?: string): Asking {
  return { args: { input: fields }, ...(about !== undefined && { about }) }
}

function upload(dataset: string, file: File): Asking {
  return { ...input({ dataset, file: null }, dataset), files: { 'variables.input.file': file } }
}

/** A deployment that is as a subject is. @returns its id */
function newDeployment(world: World, subject: Subject): Promise<string> {
  return world.newDeployment(subject, world.things(subject).Artifact)
}

/** A dataset that is as a subject is. @returns its id */
function newDataset(world: World, subject: Subject): Promise<string> {
  const place = subject === 'team' ? { visibility: 'TEAM' } : { project: world.things(subject).Project }
  return ask(world.makerOf(subject), 'createDataset', { name: world.newName(), ...place })
}

/** A file of such a dataset. @returns its id */
async function newFile(world: World, subject: Subject): Promise<string> {
  const maker = world.makerOf(subject)
  const dataset = await newDataset(world, subject)
  const { data } = await maker.upload<{ uploadDatasetFile: { id: string } }, object>(
    'mutation ($input: UploadDatasetFileInput!) { uploadDatasetFile(input: $input) { ... on DatasetFile { id } } }',
    { input: { dataset, file: null } },
    { 'variables.input.file': new File(['text'], 'a.txt') },
  )
  return data?.uploadDatasetFile.id ?? ''
}

/** The account that a subject is, for a role. */
function accountOf(world: World, subject: Subject, role: Role): Person {
  return subject === 'own' ? world.personOf(role) : world.other
}

/** A client that signed in by itself, for a person who is signed in; for others the one they have. */
async function anotherClient(world: World, role: Role): Promise<ApiClient> {
  const person = world.personOf(role)
  return person.api === world.as(role) ? signInAgain(world.app, person) : world.as(role)
}

/** Signs somebody in once more. @returns the id of that session */
async function newSession(world: World, person: Person): Promise<string> {
  const client = await signInAgain(world.app, person)
  const { viewer } = await client.send<
    { viewer: { sessions: { edges: { node: { id: string; isCurrent: boolean } }[] } } },
    object
  >('{ viewer { sessions { edges { node { id isCurrent } } } } }')
  return viewer.sessions.edges.find(({ node }) => node.isCurrent)?.node.id ?? ''
}

function newUser(world: World): Promise<string> {
  return ask(world.as('admin'), 'createUser', { username: world.newName() })
}

async function someUser(world: World): Promise<string> {
  return (await sample('user', () => newUser(world))).sample
}
