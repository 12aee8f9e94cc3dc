import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CreateLauncherInput,
  type CreateProjectInput,
  LauncherByRefDocument,
  LauncherCreateDocument,
  LauncherCreateProjectDocument,
  LauncherDeleteDocument,
  LauncherFreeCommandsDocument,
  LauncherListDocument,
  LauncherOfRunDocument,
  LauncherUpdateDocument,
  LauncherUpdateProjectDocument,
  RunTryResumeDocument,
  RunTryStartDocument,
  type UpdateProjectInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { Answer, ApiClient } from '../../support/client.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

/** Tells what it was started with, and leaves a checkpoint. */
const SCRIPT = `
  const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
  require('node:fs').mkdirSync(folder, { recursive: true })
  require('node:fs').writeFileSync(folder + '/model.bin', 'weights')
  const { MODE, SECRET, NODE_ENV, TRAINYARD_RUN_ID } = process.env
  console.log('started ' + JSON.stringify({
    args: process.argv.slice(1), cwd: process.cwd(), MODE, SECRET, NODE_ENV, isRun: TRAINYARD_RUN_ID?.startsWith('run_'),
  }))
`

/** A server that runs only commands of launchers. */
let app: TestApp
let member: Person
beforeAll(async () => {
  app = await startTestApp({ freeCommands: false, maxConcurrentRuns: 1 })
  member = await givenPerson(app)
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

let made = 0

async function givenLauncher(input: Partial<CreateLauncherInput> = {}): Promise<string> {
  const name = `launcher-${++made}`
  const command = [process.execPath, '-e', SCRIPT, 'first']
  const { createLauncher } = await app.api.send(LauncherCreateDocument, {
    input: { name, command, ...input },
  })
  if (createLauncher.__typename !== 'Launcher') throw new Error(JSON.stringify(createLauncher))
  return createLauncher.name
}

/** What came of a mutation: its result, or the answer when there is none. */
function resultOf(answer: Answer<Record<string, unknown>>): unknown {
  return Object.values(answer.data ?? {})[0] ?? answer
}

const createProject = async (input: Partial<CreateProjectInput>, { api }: { api: ApiClient } = member) =>
  resultOf(
    await api.ask(LauncherCreateProjectDocument, { input: { name: `of-launcher-${++made}`, ...input } }),
  )
const updateProject = async (input: UpdateProjectInput) =>
  resultOf(await member.api.ask(LauncherUpdateProjectDocument, { input }))

async function givenProject(launcher: string): Promise<string> {
  const name = `launched-${++made}`
  expect(await createProject({ name, launcher })).toMatchObject({ launcher: { name: launcher } })
  return name
}

/** What the script of a run said that it was started with. */
async function startOf(run: string): Promise<Record<string, unknown>> {
  await seed(member.api).end(run)
  const lines = await seed(member.api).log(run)
  return JSON.parse(lines.find(({ message }) => message.startsWith('started '))?.message.slice(8) ?? '{}')
}

const FORBIDDEN = { errors: [{ extensions: { code: 'FORBIDDEN' } }] }

describe('launchers', () => {
  test('are made and changed by administrators, and seen by everybody but for the values of variables', async () => {
    const name = await givenLauncher({
      description: 'Fine-tunes.',
      environment: { SECRET: 'hush', MODE: 'a' },
      workingDirectory: '/tmp',
    })

    expect((await app.api.send(LauncherByRefDocument, { ref: name })).launcher).toMatchObject({
      environment: { SECRET: 'hush', MODE: 'a' },
      createdBy: { username: 'admin' },
    })
    const { launcher } = await member.api.send(LauncherByRefDocument, { ref: name })
    expect(launcher).toMatchObject({
      description: 'Fine-tunes.',
      environmentNames: ['MODE', 'SECRET'],
      environment: null,
      workingDirectory: '/tmp',
    })
    const { launchers } = await member.api.send(LauncherListDocument, {})
    expect(launchers.edges).toContainEqual({ node: { name, environment: null } })
    const { updateLauncher } = await app.api.send(LauncherUpdateDocument, {
      input: { ref: launcher?.id ?? '', environment: { MODE: 'b' }, workingDirectory: null },
    })
    expect(updateLauncher).toMatchObject({
      environment: { MODE: 'b' },
      workingDirectory: null,
      description: 'Fine-tunes.',
    })
  })

  test('keep the values of variables sealed', async () => {
    await givenLauncher({ environment: { SECRET: 'a-secret-to-look-for' } })

    for (const file of ['trainyard.db', 'trainyard.db-wal']) {
      expect(await readFile(join(app.dataDir, file), 'latin1').catch(() => '')).not.toContain(
        'a-secret-to-look-for',
      )
    }
  })

  test('are not made, changed or deleted by members', async () => {
    const ref = await givenLauncher()

    const answers = [
      await member.api.ask(LauncherCreateDocument, { input: { name: 'mine', command: ['true'] } }),
      await member.api.ask(LauncherUpdateDocument, { input: { ref, command: ['true'] } }),
      await member.api.ask(LauncherDeleteDocument, { input: { ref } }),
    ]

    for (const answer of answers) expect(answer).toMatchObject(FORBIDDEN)
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['of Trainyard', { TRAINYARD_TOKEN: 'x' }, 'environment.TRAINYARD_TOKEN'],
    ['that is no name', { 'A=B': 'x' }, 'environment.A=B'],
    ['that begins with a digit', { '1A': 'x' }, 'environment.1A'],
    ['with a value that is no text', { A: 1 }, 'environment.A'],
    ['with NUL in its value', { A: 'a\0b' }, 'environment.A'],
  ])('have no variable %s', async (_what, environment, path) => {
    const input = { name: `refused-${++made}`, command: ['true'], environment }

    const { createLauncher } = await app.api.send(LauncherCreateDocument, { input })

    expect(createLauncher).toMatchObject({ code: 'VALIDATION_FAILED', issues: [{ path: path.split('.') }] })
  })

  test('with a name that is taken are a conflict', async () => {
    const name = await givenLauncher()

    const { createLauncher } = await app.api.send(LauncherCreateDocument, {
      input: { name, command: ['true'] },
    })

    expect(createLauncher).toMatchObject({ code: 'CONFLICT' })
  })

  test('are deleted once no project uses them', async () => {
    const ref = await givenLauncher()
    const project = await givenProject(ref)
    const remove = async () => (await app.api.send(LauncherDeleteDocument, { input: { ref } })).deleteLauncher

    expect(await remove()).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining(project) })
    await updateProject({ ref: project, launcher: null })
    expect(await remove()).toMatchObject({ __typename: 'Launcher' })
    expect((await app.api.send(LauncherByRefDocument, { ref })).launcher).toBeNull()
  })
})

describe('where only launchers may be used', () => {
  test('the server says so', async () => {
    expect(await member.api.send(LauncherFreeCommandsDocument, {})).toEqual({
      serverInfo: { freeCommands: false },
    })
  })

  test('nobody gives a project a command of its own, and is told what there is', async () => {
    const launcher = await givenLauncher()
    const project = await givenProject(launcher)

    for (const own of [{ command: ['true'] }, { resumeArgs: ['--resume'] }, { workingDirectory: '/tmp' }]) {
      for (const person of [member, app]) {
        expect(await createProject(own, person)).toMatchObject({
          errors: [{ message: expect.stringContaining(launcher), extensions: { code: 'FORBIDDEN' } }],
        })
      }
      expect(await updateProject({ ref: project, ...own })).toMatchObject(FORBIDDEN)
    }
  })

  test('a project without one can be made but not run', async () => {
    const name = `bare-${++made}`
    expect(await createProject({ name })).toMatchObject({ launcher: null, canStartRun: false })

    const start = async () =>
      resultOf(await member.api.ask(RunTryStartDocument, { input: { project: name } }))

    expect(await start()).toMatchObject({ code: 'PRECONDITION_FAILED', missing: ['launcher'] })
    expect(await updateProject({ ref: name, launcher: await givenLauncher() })).toMatchObject({
      canStartRun: true,
    })
    expect(await start()).toMatchObject({ __typename: 'Run' })
  })

  test('a project whose launcher was taken away is not resumed either', async () => {
    const project = await givenProject(await givenLauncher())
    const runId = await seed(member.api).run({ project })
    await seed(member.api).end(runId)
    await updateProject({ ref: project, launcher: null })

    expect(resultOf(await member.api.ask(RunTryResumeDocument, { input: { runId } }))).toMatchObject({
      missing: ['launcher'],
    })
  })

  test('a launcher that is none is not found', async () => {
    expect(await createProject({ launcher: 'none-such' })).toMatchObject({ __typename: 'NotFoundError' })
  })
})

describe('a run of a launcher', () => {
  test('has its command, variables and working directory, and remembers it', async () => {
    const name = await givenLauncher({
      resumeArgs: ['{checkpoint}'],
      environment: { MODE: 'fast', SECRET: 'hush' },
      workingDirectory: '/',
    })
    const project = await givenProject(name)

    const run = await seed(member.api).run({ project })
    const resumed = await seed(member.api)
      .run({ project })
      .then(async (first) => {
        await seed(member.api).end(first)
        return seed(member.api).resume({ runId: first })
      })

    expect(await startOf(run)).toEqual({
      args: ['first'],
      cwd: '/',
      MODE: 'fast',
      SECRET: 'hush',
      isRun: true,
    })
    expect(await startOf(resumed)).toMatchObject({ args: ['first', expect.stringContaining('checkpoint-1')] })
    expect((await member.api.send(LauncherOfRunDocument, { id: run })).run).toMatchObject({
      launcher: { name },
    })
  })

  test('that waits runs the command that it was queued with', async () => {
    const ref = await givenLauncher()
    const project = await givenProject(ref)
    const blocker = await givenProject(await givenLauncher({ command: ['sleep', '1000'] }))
    const before = await seed(member.api).run({ project: blocker })
    const queued = await seed(member.api).run({ project })

    await app.api.send(LauncherUpdateDocument, {
      input: { ref, command: [process.execPath, '-e', SCRIPT, 'second'], environment: { MODE: 'new' } },
    })
    await seed(member.api).cancel(before, 0)

    expect(await startOf(queued)).toMatchObject({ args: ['first'], MODE: 'new' })
    expect(await startOf(await seed(member.api).run({ project }))).toMatchObject({ args: ['second'] })
  })
})

test('where commands are free a project has either a launcher or a command of its own', async () => {
  const free = await startTestApp({ freeCommands: true })
  try {
    const input = { name: 'given', command: ['given'] }
    await free.api.send(LauncherCreateDocument, { input })
    const create = async (project: Omit<CreateProjectInput, 'name'>) =>
      createProject({ name: `free-${++made}`, ...project }, free)

    expect(await create({ command: ['own'] })).toMatchObject({ command: ['own'], canStartRun: true })
    expect(await create({ launcher: 'given' })).toMatchObject({ command: ['given'] })
    expect(await create({ launcher: 'given', command: ['own'] })).toMatchObject({ code: 'VALIDATION_FAILED' })
  } finally {
    await free.stop()
  }
})
