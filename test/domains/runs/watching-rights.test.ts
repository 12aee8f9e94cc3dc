import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccessRemoveMemberDocument,
  AccessSetMemberDocument,
  AccessUpdateProjectDocument,
  type ProjectRole,
  type ProjectVisibility,
  RunAppendLogsDocument,
  RunLogsDocument,
  RunMetricsDocument,
  RunUpdatedDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { givenPerson, type Person } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { connectSubscriber, type Subscriber } from '../../support/subscriber.ts'
import { until } from '../../support/until.ts'

let app: TestApp
let folder: string
let owner: Person
let member: Person
let stranger: Person
/** The sockets of these three. */
let watchers: { owner: Subscriber; member: Subscriber; stranger: Subscriber }
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  owner = await givenPerson(app)
  member = await givenPerson(app)
  stranger = await givenPerson(app)
  watchers = {
    owner: await connectSubscriber(app.url, owner),
    member: await connectSubscriber(app.url, member),
    stranger: await connectSubscriber(app.url, stranger),
  }
})
afterAll(async () => {
  for (const watcher of Object.values(watchers)) await watcher.close()
  await endRuns(app.api)
  await app.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A run of `owner`, in whose project `member` has a role, that goes on until `end` is called. */
async function waiting(visibility: ProjectVisibility = 'PRIVATE') {
  const file = join(folder, `may-end-${Math.random()}`)
  const project = await seed(owner.api).project({
    name: `watched-${++made}`,
    command: ['bash', '-c', 'until [ -e "$0" ]; do sleep 0.02; done', file],
    visibility,
  })
  await setMember(project, member, 'VIEWER')
  const id = await seed(owner.api).run({ project })
  await seed(owner.api).when(id, 'running', (run) => run.status === 'RUNNING')
  const lines = [{ message: 'hello' }]
  await owner.api.send(RunAppendLogsDocument, { input: { runId: id, lines } })
  return { id, project, end: () => writeFile(file, '') }
}
let made = 0

async function setMember(project: string, { username: user }: Person, role: ProjectRole) {
  const { setProjectMember } = await owner.api.send(AccessSetMemberDocument, {
    input: { project, user, role },
  })
  if (setProjectMember.__typename !== 'ProjectMember') throw new Error(JSON.stringify(setProjectMember))
}

async function removeMember(project: string, { username: user }: Person) {
  const { removeProjectMember } = await owner.api.send(AccessRemoveMemberDocument, {
    input: { project, user },
  })
  if (removeProjectMember.__typename !== 'Project') throw new Error(JSON.stringify(removeProjectMember))
}

/** Everything that can be watched of a run, and of its project; of the metrics there are none. */
function watchingAll(watcher: Subscriber, { id: runId, project }: { id: string; project: string }) {
  return {
    log: watcher.subscribe(RunLogsDocument, { runId }),
    state: watcher.subscribe(RunUpdatedDocument, { runId }),
    project: watcher.subscribe(RunUpdatedDocument, { project }),
    metrics: watcher.subscribe(RunMetricsDocument, { runId }),
  }
}

type Watching = ReturnType<typeof watchingAll>

const begun = (...all: Watching[]) =>
  until('the first messages', () =>
    all
      .flatMap(({ log, state, project }) => [log, state, project])
      .every((subscription) => subscription.data.length > 0),
  )

const isAnyOver = (watching: Watching) =>
  Object.values(watching).some((subscription) => subscription.isOver())

/** Waits until all have ended, for the reason that there is no such thing. */
async function notFound(watching: Watching) {
  for (const subscription of Object.values(watching)) {
    await subscription.over()
    expect(subscription.errorCodes).toEqual(['NOT_FOUND'])
  }
}

describe('what may not be seen', () => {
  test('is not found by who wants to watch it', async () => {
    const { end, ...run } = await waiting()

    await notFound(watchingAll(watchers.stranger, run))

    await end()
  })

  test('is left out of the updates of all runs', async () => {
    const updates = watchers.member.subscribe(RunUpdatedDocument, {})
    const seenOf = (id: string) => updates.data.filter(({ runUpdated }) => runUpdated.id === id)
    const { id, end, project } = await waiting()
    await until('the update of a member', () => seenOf(id).length > 0)
    await removeMember(project, member)
    const known = seenOf(id).length
    const other = await waiting()

    await end()
    await seed(owner.api).end(id)

    // What comes of another run comes later than what would have come of this one.
    await other.end()
    await until('the end of the other', () => seenOf(other.id).at(-1)?.runUpdated.status === 'SUCCEEDED')
    expect(seenOf(id)).toHaveLength(known)
    expect(updates.errorCodes).toEqual([])
    updates.stop()
  })
})

describe('who watches while the right to it is taken away', () => {
  test('as a member is told within five seconds that it is not there, and the others watch on', async () => {
    const { end, ...run } = await waiting()
    const theirs = watchingAll(watchers.member, run)
    const own = watchingAll(watchers.owner, run)
    await begun(theirs, own)
    const before = performance.now()

    await removeMember(run.project, member)

    await notFound(theirs)
    expect(performance.now() - before).toBeLessThan(5000)
    expect(isAnyOver(own)).toBe(false)
    await end()
    for (const subscription of [own.log, own.state, own.metrics]) {
      await subscription.over()
      expect(subscription.errorCodes).toEqual([])
    }
    own.project.stop()
  })

  test('as one of the team is told so too, and members watch on', async () => {
    const { end, ...run } = await waiting('TEAM')
    const theirs = watchingAll(watchers.stranger, run)
    const members = watchingAll(watchers.member, run)
    await begun(theirs, members)

    await owner.api.send(AccessUpdateProjectDocument, {
      input: { ref: run.project, visibility: 'PRIVATE' },
    })

    await notFound(theirs)
    expect(isAnyOver(members)).toBe(false)
    await end()
    members.project.stop()
  })

  test('and sees it otherwise, watches on', async () => {
    const { end, ...run } = await waiting('TEAM')
    const theirs = watchingAll(watchers.member, run)
    await begun(theirs)

    await removeMember(run.project, member)
    await end()

    await theirs.log.over()
    expect(theirs.log.errorCodes).toEqual([])
    theirs.project.stop()
  })
})

test('a message to many watchers takes no more statements than one to few', async () => {
  const { id: runId, project, end } = await waiting()
  await setMember(project, stranger, 'VIEWER')
  const watching = [watchers.member.subscribe(RunLogsDocument, { runId })]
  const arrived = (line: string) =>
    until(`${line} to arrive`, () => watching.every(({ data }) => JSON.stringify(data).includes(line)))
  await arrived('hello')
  const append = async (line: string) => {
    let statements = 0
    const stop = app.onStatement(() => statements++)
    await owner.api.send(RunAppendLogsDocument, { input: { runId, lines: [{ message: line }] } })
    await arrived(line)
    stop()
    return statements
  }
  const few = await append('few')
  for (let count = 0; count < 30; count++) {
    const watcher = count % 2 === 0 ? watchers.member : watchers.stranger
    watching.push(watcher.subscribe(RunLogsDocument, { runId }))
  }
  await arrived('hello')

  // What the worker does meanwhile is counted too; half a statement for each watcher would be 15.
  expect((await append('many')) - few).toBeLessThan(10)

  await end()
  for (const log of watching) await log.over()
})
