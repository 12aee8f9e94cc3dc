import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccessArtifactDocument,
  AccessDeleteProjectDocument,
  AccessNodeDocument,
  AccessProjectDocument,
  AccessProjectsDocument,
  AccessRemoveMemberDocument,
  AccessRunDocument,
  AccessRunsDocument,
  AccessSetMemberDocument,
  AccessUpdateProjectDocument,
  CatalogProjectHistoryDocument,
  CatalogRegisterArtifactDocument,
  CatalogTagArtifactDocument,
  CatalogUntagArtifactDocument,
  type ProjectRole,
  type ProjectVisibility,
  RunAppendLogsDocument,
  RunLogMetricsDocument,
  RunTryCancelDocument,
  RunTryResumeDocument,
  RunTryStartDocument,
} from '../../../src/generated/operations.ts'
import { newId } from '../../../src/ids.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import type { Answer, ApiClient } from '../../support/client.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

/** Leaves a checkpoint. */
const SCRIPT = `
  const folder = process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-1'
  require('node:fs').mkdirSync(folder, { recursive: true })
  require('node:fs').writeFileSync(folder + '/model.bin', 'weights')
`

let app: TestApp
let owner: Person
let editor: Person
let viewer: Person
let stranger: Person
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 4 })
  owner = await givenPerson(app)
  editor = await givenPerson(app)
  viewer = await givenPerson(app)
  stranger = await givenPerson(app)
})
afterAll(async () => {
  for (const { api } of [owner, editor, viewer, stranger]) await api.close()
  await endRuns(app.api)
  await app.stop()
})

/** A project of `owner` in which the others have their roles; stranger has none. */
async function givenProject(visibility?: ProjectVisibility) {
  const ref = await seed(owner.api).project({ script: SCRIPT, visibility, name: `shared-${++made}` })
  await setMember(owner, ref, editor, 'EDITOR')
  await setMember(owner, ref, viewer, 'VIEWER')
  const { project } = await owner.api.send(AccessProjectDocument, { ref })
  return { ref, id: project?.id ?? '' }
}
let made = 0

/** The project with a run that is over and has a checkpoint. */
async function givenRun(visibility?: ProjectVisibility) {
  const project = await givenProject(visibility)
  const runId = await seed(owner.api).run({ project: project.ref })
  const { artifacts } = await seed(owner.api).end(runId)
  return { project, runId, artifactId: artifacts.edges[0]?.node.id ?? '' }
}

async function setMember(by: Person, project: string, user: Person, role: ProjectRole) {
  const input = { project, user: user.username, role }
  const answer = await by.api.ask(AccessSetMemberDocument, { input })
  return answer.data?.setProjectMember ?? answer
}

async function removeMember(by: Person, project: string, user: Person) {
  const input = { project, user: user.id }
  const answer = await by.api.ask(AccessRemoveMemberDocument, { input })
  return answer.data?.removeProjectMember ?? answer
}

const projectOf = async ({ api }: Person, ref: string) =>
  (await api.send(AccessProjectDocument, { ref })).project
const nodeOf = async ({ api }: Person, id: string) => (await api.send(AccessNodeDocument, { id })).node

const FORBIDDEN = { errors: [{ extensions: { code: 'FORBIDDEN' } }] }
const NOT_FOUND = { __typename: 'NotFoundError' }

/** What came of a mutation: its result, or the answer when there is none. */
function resultOf(answer: Answer<Record<string, unknown>>): unknown {
  return Object.values(answer.data ?? {})[0] ?? answer
}

/** Everything that changes a run or what it made, as somebody tries it. */
function changesOf(
  api: ApiClient,
  { runId, artifactId, ref }: { runId: string; artifactId: string; ref: string },
) {
  const series = [{ key: 'loss', steps: [1], values: [1] }]
  const tag = { artifactId, value: 'RELEASE' } as const
  return {
    updating: () => api.ask(AccessUpdateProjectDocument, { input: { ref, objective: 'another' } }),
    starting: () => api.ask(RunTryStartDocument, { input: { project: ref } }),
    resuming: () => api.ask(RunTryResumeDocument, { input: { runId } }),
    cancelling: () => api.ask(RunTryCancelDocument, { input: { runId } }),
    'reporting metrics': () => api.ask(RunLogMetricsDocument, { input: { runId, series } }),
    'appending lines': () => api.ask(RunAppendLogsDocument, { input: { runId, lines: [{ message: 'hi' }] } }),
    'registering an artifact': () =>
      api.ask(CatalogRegisterArtifactDocument, { input: { runId, uri: 's3://bucket/it' } }),
    tagging: () => api.ask(CatalogTagArtifactDocument, { input: tag }),
    untagging: () => api.ask(CatalogUntagArtifactDocument, { input: tag }),
  }
}

describe('a private project', () => {
  test('is what a project is that nothing is said of, and its maker owns it', async () => {
    const ref = await seed(owner.api).project()

    expect(await projectOf(owner, ref)).toMatchObject({
      visibility: 'PRIVATE',
      owner: { username: owner.username },
      viewerRole: 'OWNER',
      canEdit: true,
      canDelete: true,
      canManageMembers: true,
      members: { edges: [{ node: { user: { username: owner.username }, role: 'OWNER' } }] },
    })
  })

  test('does not exist for a stranger, whatever leads to it', async () => {
    const { project, runId, artifactId } = await givenRun()
    const { api } = stranger

    expect(await projectOf(stranger, project.ref)).toBeNull()
    expect(await projectOf(stranger, project.id)).toBeNull()
    for (const id of [project.id, runId, artifactId]) expect(await nodeOf(stranger, id)).toBeNull()
    expect((await api.send(AccessRunDocument, { id: runId })).run).toBeNull()
    expect((await api.send(AccessArtifactDocument, { id: artifactId })).artifact).toBeNull()
    for (const filter of [{ project: project.ref }, { search: 'run-001' }, undefined]) {
      const { runs } = await api.send(AccessRunsDocument, { filter })
      expect(runs.edges.map(({ node }) => node.id)).not.toContain(runId)
      expect(runs.totalCount).toBe(runs.edges.length)
    }
    for (const filter of [{ owner: owner.username }, { search: project.ref }, { member: viewer.username }]) {
      expect(await api.send(AccessProjectsDocument, { filter })).toMatchObject({
        projects: { totalCount: 0, edges: [] },
      })
    }
  })

  test('is not found by a stranger who changes something, as if it were not there', async () => {
    const { project, runId, artifactId } = await givenRun()
    const there = changesOf(stranger.api, { ref: project.ref, runId, artifactId })
    const missing = { ref: 'none', runId: newId('Run'), artifactId: newId('Artifact') }
    const nowhere = changesOf(stranger.api, missing)

    for (const [what, change] of Object.entries(there)) {
      const text = JSON.stringify(resultOf(await change()))
      expect(text, what).toContain('NOT_FOUND')
      const blank = Object.entries(missing).reduce(
        (shown, [part, absent]) =>
          shown.replaceAll({ ref: project.ref, runId, artifactId }[part] ?? '', absent),
        text,
      )
      const expected = JSON.stringify(resultOf(await nowhere[what as keyof typeof nowhere]()))
      expect(blank).toBe(expected)
    }
    expect(
      resultOf(await stranger.api.ask(AccessDeleteProjectDocument, { input: { ref: project.ref } })),
    ).toMatchObject(NOT_FOUND)
    expect(await setMember(stranger, project.ref, stranger, 'OWNER')).toMatchObject(NOT_FOUND)
    expect(await removeMember(stranger, project.ref, stranger)).toMatchObject(NOT_FOUND)
  })

  test('is seen by its members, each with what they may do', async () => {
    const { project, runId, artifactId } = await givenRun()

    expect(await projectOf(viewer, project.ref)).toMatchObject({
      viewerRole: 'VIEWER',
      canEdit: false,
      canDelete: false,
      canManageMembers: false,
      runCount: 1,
      members: { totalCount: 3 },
    })
    expect(await projectOf(editor, project.id)).toMatchObject({
      viewerRole: 'EDITOR',
      canEdit: true,
      canDelete: false,
      canManageMembers: false,
    })
    for (const person of [viewer, editor]) {
      for (const id of [project.id, runId, artifactId]) expect(await nodeOf(person, id)).toMatchObject({ id })
    }
    const canResume = async ({ api }: Person) =>
      (await api.send(AccessRunDocument, { id: runId })).run?.canResume
    const canTag = async ({ api }: Person) =>
      (await api.send(AccessArtifactDocument, { id: artifactId })).artifact?.canTag
    expect([await canResume(viewer), await canTag(viewer)]).toEqual([false, false])
    expect([await canResume(editor), await canTag(editor)]).toEqual([true, true])
  })

  test('is not changed by a viewer', async () => {
    const { project, runId, artifactId } = await givenRun()

    for (const [what, change] of Object.entries(
      changesOf(viewer.api, { ref: project.ref, runId, artifactId }),
    )) {
      expect(resultOf(await change()), what).toMatchObject(FORBIDDEN)
    }
    expect(await viewer.api.ask(AccessDeleteProjectDocument, { input: { ref: project.ref } })).toMatchObject(
      FORBIDDEN,
    )
  })

  test('is worked with by an editor, who is no owner of it', async () => {
    const { project, runId, artifactId } = await givenRun()
    const { updating, resuming, starting, tagging, untagging } = changesOf(editor.api, {
      ref: project.ref,
      runId,
      artifactId,
    })

    for (const change of [updating, tagging, untagging, starting, resuming]) {
      expect(resultOf(await change())).not.toHaveProperty('code')
    }
    const owning = [
      await editor.api.ask(AccessUpdateProjectDocument, { input: { ref: project.ref, visibility: 'TEAM' } }),
      await editor.api.ask(AccessUpdateProjectDocument, { input: { ref: project.ref, owner: editor.id } }),
      await editor.api.ask(AccessDeleteProjectDocument, { input: { ref: project.ref } }),
      await setMember(editor, project.ref, stranger, 'VIEWER'),
      await removeMember(editor, project.ref, viewer),
    ]
    for (const answer of owning) expect(answer).toMatchObject(FORBIDDEN)
    // What was so before may be said again.
    expect(
      resultOf(
        await editor.api.ask(AccessUpdateProjectDocument, {
          input: { ref: project.ref, visibility: 'PRIVATE' },
        }),
      ),
    ).toMatchObject({ visibility: 'PRIVATE' })
  })

  test('is as their own for an administrator, but not by a token that is no administrator’s', async () => {
    const { ref } = await givenProject()
    const token = await app.api.send<{ createApiToken: { token: string } }, object>(
      'mutation { createApiToken(input: { name: "work", scopes: [RUN] }) { ... on ApiToken { token } } }',
    )
    const script = { ...owner, api: (await givenPerson(app, 'ADMIN')).api }
    script.api.useToken(token.createApiToken.token)

    expect((await app.api.send(AccessProjectDocument, { ref })).project).toMatchObject({
      viewerRole: 'OWNER',
      canDelete: true,
    })
    expect(await projectOf(script, ref)).toBeNull()
  })
})

describe('a project of the team', () => {
  test('is seen by everybody and changed by its editors', async () => {
    const { project, runId, artifactId } = await givenRun('TEAM')

    expect(await projectOf(stranger, project.ref)).toMatchObject({
      viewerRole: 'VIEWER',
      canEdit: false,
      runCount: 1,
    })
    for (const id of [project.id, runId, artifactId]) expect(await nodeOf(stranger, id)).toMatchObject({ id })
    const changes = changesOf(stranger.api, { ref: project.ref, runId, artifactId })
    for (const [what, change] of Object.entries(changes)) {
      expect(resultOf(await change()), what).toMatchObject(FORBIDDEN)
    }
  })

  test('is one no more when an owner says so', async () => {
    const { ref } = await givenProject('TEAM')

    await owner.api.send(AccessUpdateProjectDocument, { input: { ref, visibility: 'PRIVATE' } })

    expect(await projectOf(stranger, ref)).toBeNull()
    expect(await projectOf(viewer, ref)).toMatchObject({ visibility: 'PRIVATE' })
    const { project } = await owner.api.send(CatalogProjectHistoryDocument, { ref })
    expect(project?.versions.edges[0]?.node.changes).toEqual([
      { field: 'visibility', from: 'TEAM', to: 'PRIVATE' },
    ])
  })
})

describe('the members of a project', () => {
  test('leave by themselves, and see nothing of it afterwards', async () => {
    const { ref } = await givenProject()

    expect(await removeMember(viewer, ref, viewer)).toMatchObject({ __typename: 'Project', name: ref })

    expect(await projectOf(viewer, ref)).toBeNull()
  })

  test('keep their other rights when they get another role', async () => {
    const { ref } = await givenProject()

    expect(await setMember(owner, ref, viewer, 'EDITOR')).toMatchObject({ role: 'EDITOR' })

    expect(await projectOf(viewer, ref)).toMatchObject({ viewerRole: 'EDITOR', members: { totalCount: 3 } })
  })

  test('are people who can sign in', async () => {
    const { ref } = await givenProject()
    const nobody = { ...viewer, username: 'nobody-at-all' }

    expect(await setMember(owner, ref, nobody, 'VIEWER')).toMatchObject(NOT_FOUND)
  })

  test('always have an owner among them', async () => {
    const { ref } = await givenProject()

    expect(await setMember(owner, ref, owner, 'EDITOR')).toMatchObject({ code: 'CONFLICT' })
    expect(await removeMember(owner, ref, owner)).toMatchObject({ code: 'CONFLICT' })

    await setMember(owner, ref, editor, 'OWNER')
    expect(await removeMember(owner, ref, owner)).toMatchObject({ owner: { username: editor.username } })
    expect(await projectOf(owner, ref)).toBeNull()
  })

  test('have one however many owners leave at the same time', async () => {
    const { ref } = await givenProject()
    const owners = [owner, editor, viewer]
    for (const person of [editor, viewer]) await setMember(owner, ref, person, 'OWNER')

    const results = await Promise.all(owners.map((person) => removeMember(person, ref, person)))

    expect(
      results.filter((result) => '__typename' in result && result.__typename === 'Project'),
    ).toHaveLength(2)
    expect((await app.api.send(AccessProjectDocument, { ref })).project?.members).toMatchObject({
      totalCount: 1,
      edges: [{ node: { role: 'OWNER' } }],
    })
  })

  test('get the project when its owner hands it on, who stays an owner', async () => {
    const { ref } = await givenProject()

    await owner.api.send(AccessUpdateProjectDocument, { input: { ref, owner: stranger.username } })

    expect(await projectOf(stranger, ref)).toMatchObject({
      owner: { username: stranger.username },
      viewerRole: 'OWNER',
    })
    expect(await projectOf(owner, ref)).toMatchObject({ viewerRole: 'OWNER' })
    const { project } = await owner.api.send(CatalogProjectHistoryDocument, { ref })
    expect(project?.versions.edges[0]?.node.changes).toEqual([
      { field: 'owner', from: owner.username, to: stranger.username },
    ])
  })
})

test('a request that is repeated gives its run to those only who still see it', async () => {
  const { ref } = await givenProject()
  const input = { project: ref, idempotencyKey: 'once' }
  const first = await seed(editor.api).run(input)
  expect(await seed(editor.api).run(input)).toBe(first)

  await removeMember(owner, ref, editor)

  expect(resultOf(await editor.api.ask(RunTryStartDocument, { input }))).toMatchObject(NOT_FOUND)
})

test('a name that is taken by what may not be seen is taken in the same words', async () => {
  const { ref } = await givenProject()
  const create = (api: ApiClient) =>
    api.send<{ createProject: object }, object>(
      'mutation ($name: String!) { createProject(input: { name: $name }) { __typename ... on Error { message } } }',
      { name: ref },
    )

  expect(await create(stranger.api)).toEqual(await create(owner.api))
})

test('what a member may do with the rows of a list takes one statement, however many they are', async () => {
  const reader = await givenPerson(app)
  const rolesAsked = async () => {
    const statements: string[] = []
    const stop = app.onStatement((sql) => statements.push(sql))
    const { projects } = await reader.api.send(AccessProjectsDocument, {
      filter: { member: reader.username },
    })
    stop()
    const ofRoles = statements.filter((sql) => /^SELECT .* FROM `main`.`ProjectMember`/.test(sql))
    return { rows: projects.edges.length, statements: ofRoles.length }
  }
  const join = async (count: number) => {
    for (let joined = 0; joined < count; joined++) {
      await setMember(owner, (await givenRun()).project.ref, reader, 'EDITOR')
    }
  }

  await join(1)
  const few = await rolesAsked()
  await join(4)

  expect(few).toMatchObject({ rows: 1 })
  expect(few.statements).toBeGreaterThan(0)
  expect(await rolesAsked()).toEqual({ rows: 5, statements: few.statements })
})
