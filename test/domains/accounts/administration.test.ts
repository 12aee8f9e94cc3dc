import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import {
  AccountCreateApiTokenDocument,
  AccountCreateInvitationDocument,
  AccountCreateUserDocument,
  AccountDeactivateUserDocument,
  AccountDeleteUserDocument,
  AccountLoginDocument,
  AccountReactivateUserDocument,
  AccountRegisterDocument,
  AccountResetPasswordDocument,
  AccountStatisticsDocument,
  AccountUpdateUserDocument,
  AccountUserDocument,
  AccountUsersDocument,
  AuditTrailDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import {
  administrator,
  as,
  expected,
  type Person,
  person,
  refused,
  signInAgain,
  whoIs,
} from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const update = async (
  input: { user: string; role?: 'ADMIN' | 'MEMBER'; email?: string | null; username?: string },
  api = app.api,
) => (await api.send(AccountUpdateUserDocument, { input })).updateUser
const deactivate = async (user: string, api = app.api) =>
  (await api.send(AccountDeactivateUserDocument, { input: { user } })).deactivateUser
const remove = async (user: string, transferTo?: string, api = app.api) =>
  (await api.send(AccountDeleteUserDocument, { input: { user, transferTo } })).deleteUser
const login = async (username: string, password: string) =>
  (await as(app, null).send(AccountLoginDocument, { input: { username, password } })).login

async function tokenOf({ api }: Person): Promise<string> {
  const { createApiToken } = await api.send(AccountCreateApiTokenDocument, { input: { name: 'script' } })
  return expected(createApiToken, 'ApiToken').token ?? ''
}

describe('an administrator makes an account', () => {
  test('with a password, that must be changed', async () => {
    const { createUser } = await app.api.send(AccountCreateUserDocument, {
      input: { username: 'Made', email: 'Made@Example.org', password: 'long enough', role: 'ADMIN' },
    })

    expect(createUser).toMatchObject({
      username: 'made',
      email: 'made@example.org',
      role: 'ADMIN',
      mustChangePassword: true,
      passwordReset: null,
    })
    expect(await login('made@example.org', 'long enough')).toMatchObject({ user: { username: 'made' } })
  })

  test('without one, with a link that sets it', async () => {
    const { createUser } = await app.api.send(AccountCreateUserDocument, { input: { username: 'linked' } })
    const { passwordReset, role } = expected(createUser, 'User')

    expect(role).toBe('MEMBER')
    expect(await login('linked', '')).toMatchObject({ __typename: 'ValidationError' })
    expect(await login('linked', 'anything else')).toMatchObject({ __typename: 'ValidationError' })
    const { resetPassword } = await as(app, null).send(AccountResetPasswordDocument, {
      input: { token: passwordReset?.token ?? '', newPassword: 'of my own' },
    })
    expect(resetPassword).toMatchObject({ user: { username: 'linked', mustChangePassword: false } })
    const { user } = await app.api.send<{ user: object }, object>(
      '{ user(ref: "linked") { passwordReset { token } } }',
    )
    expect(user).toEqual({ passwordReset: null })
  })

  test.each([
    [{ username: 'Admin' }, 'ConflictError'],
    [{ username: 'fresh', email: 'TAKEN@example.org' }, 'ConflictError'],
    [{ username: 'no spaces' }, 'ValidationError'],
    [{ username: 'fresh', password: 'short' }, 'ValidationError'],
  ])('but not as %j', async (input, error) => {
    if ('email' in input) await person(app, 'taken')

    expect((await app.api.send(AccountCreateUserDocument, { input })).createUser.__typename).toBe(error)
  })
})

describe('an administrator changes an account', () => {
  test('its role, which ends the sign-ins and holds for its tokens', async () => {
    const ada = await person(app, 'ada')
    const script = as(app, await tokenOf(ada))

    expect(await update({ user: 'ada', role: 'ADMIN' })).toMatchObject({ role: 'ADMIN' })
    expect(await whoIs(ada.api)).toBeNull()
    expect(await script.send('{ viewer { role } }')).toEqual({ viewer: { role: 'ADMIN' } })
    const again = await signInAgain(app, ada)
    expect(await again.send('{ users { totalCount } }')).toHaveProperty('users.totalCount')
    await update({ user: ada.id, role: 'MEMBER' })
    expect(await again.ask('{ users { totalCount } }')).toMatchObject(refused('UNAUTHENTICATED'))
  })

  test('its name and address', async () => {
    const grace = await person(app, 'grace')

    expect(await update({ user: 'grace', username: 'Hopper', email: null })).toMatchObject({
      id: grace.id,
      username: 'hopper',
      email: null,
    })
    expect(await whoIs(grace.api)).toBe('hopper')
    expect(await login('grace', grace.password)).toMatchObject({ __typename: 'ValidationError' })
    expect(await update({ user: 'hopper', username: 'admin' })).toMatchObject({
      __typename: 'ConflictError',
    })
    expect(await update({ user: 'hopper', username: 'hopper' })).toMatchObject({ username: 'hopper' })
  })

  test('but none that is not there', async () => {
    expect(await update({ user: 'nobody', role: 'ADMIN' })).toMatchObject({ __typename: 'NotFoundError' })
  })
})

describe('an account that is shut', () => {
  test('lets nobody in, by password, sign-in or token, until it is opened again', async () => {
    const linus = await person(app, 'linus')
    const script = as(app, await tokenOf(linus))

    expect(await deactivate('linus')).toMatchObject({ deactivatedAt: expect.any(String) })

    expect(await whoIs(linus.api)).toBeNull()
    expect(await whoIs(script)).toBeNull()
    expect(await login('linus', linus.password)).toEqual(await login('nobody at all', linus.password))

    await app.api.send(AccountReactivateUserDocument, { input: { user: 'linus' } })
    expect(await whoIs(linus.api)).toBeNull() // what has ended stays ended
    expect(await whoIs(script)).toBe('linus')
    expect(await login('linus', linus.password)).toMatchObject({ __typename: 'Session' })
  })

  test('has invited nobody', async () => {
    const root = await administrator(app, 'root')
    const { createInvitation } = await root.api.send(AccountCreateInvitationDocument, {
      input: { role: 'ADMIN' },
    })
    const { id, token: invitationToken } = expected(createInvitation, 'Invitation')
    await update({ user: 'root', role: 'MEMBER' })

    const { register } = await as(app, null).send(AccountRegisterDocument, {
      input: { username: 'backdoor', password: 'long enough', invitationToken },
    })
    expect(register).toMatchObject({ issues: [{ path: ['invitationToken'] }] })
    const { auditEvents } = await app.api.send(AuditTrailDocument, {
      filter: { action: ['INVITATION_REVOKED'] },
      first: 100,
    })
    expect(auditEvents.edges.map(({ node }) => node)).toMatchObject([{ targetId: id, actorName: 'admin' }])
  })
})

describe('an account that is deleted', () => {
  test('leaves what it owned to somebody else, and itself as an author', async () => {
    const ken = await person(app, 'ken')
    const heir = await person(app, 'heir')
    const given = seed(ken.api)
    await given.project({ name: 'unix', script: 'process.exit(0)' })
    await given.dataset('manuals', {})
    const script = as(app, await tokenOf(ken))

    const remains = expected(await remove('ken', 'heir'), 'User')

    expect(remains).toMatchObject({ id: ken.id, username: `deleted:${ken.id}`, email: null, role: 'MEMBER' })
    expect(await whoIs(ken.api)).toBeNull()
    expect(await whoIs(script)).toBeNull()
    expect(await login('ken', ken.password)).toMatchObject({ __typename: 'ValidationError' })
    expect(
      await heir.api.send(
        '{ project(ref: "unix") { owner { username } versions { edges { node { changedBy { id } } } } } dataset(ref: "manuals") { name } }',
      ),
    ).toMatchObject({
      project: {
        owner: { username: 'heir' },
        versions: { edges: [{ node: { changedBy: { id: ken.id } } }] },
      },
      dataset: { name: 'manuals' },
    })
    expect(await membersOf('unix')).toEqual([{ userId: heir.id, role: 'OWNER' }])
    expect(await app.api.send(AccountUserDocument, { ref: ken.id })).toMatchObject({
      user: { username: `deleted:${ken.id}` },
    })
  })

  test('leaves it to who deletes it, unless they say to whom', async () => {
    const dennis = await person(app, 'dennis')
    await seed(dennis.api).project({ name: 'c' })
    await remove('dennis')

    expect(await app.api.send('{ project(ref: "c") { owner { username } } }')).toEqual({
      project: { owner: { username: 'admin' } },
    })
  })

  test('leaves its name and address to others, and is out of reach', async () => {
    const brian = await person(app, 'brian')
    await remove('brian')

    expect((await person(app, 'brian')).id).not.toBe(brian.id)
    expect(await update({ user: brian.id, role: 'ADMIN' })).toMatchObject({ __typename: 'NotFoundError' })
    expect(await remove(brian.id)).toMatchObject({ __typename: 'NotFoundError' })
    const { users } = await app.api.send(AccountUsersDocument, { filter: { search: brian.id } })
    expect(users.totalCount).toBe(0)
  })

  test.each(['itself', 'nobody', 'shut'])('does not leave it to %s', async (heir) => {
    await person(app, `for-${heir}`)
    if (heir === 'shut') {
      await person(app, 'shut')
      await deactivate('shut')
    }
    const to = heir === 'itself' ? `for-${heir}` : heir

    expect((await remove(`for-${heir}`, to)).__typename).toBe(
      heir === 'nobody' ? 'NotFoundError' : 'ConflictError',
    )
  })
})

async function membersOf(project: string) {
  const database = await openDatabase(`${app.dataDir}/trainyard.db`)
  const members = await database.prisma.projectMember.findMany({
    where: { project: { name: project } },
    select: { userId: true, role: true },
  })
  await database.close()
  return members
}

describe('there is always an administrator', () => {
  test('because nobody demotes, shuts or deletes themselves', async () => {
    const conflict = { __typename: 'ConflictError' }

    expect(await update({ user: 'admin', role: 'MEMBER' })).toMatchObject(conflict)
    expect(await deactivate('admin')).toMatchObject(conflict)
    expect(await remove('admin')).toMatchObject(conflict)
    expect(await update({ user: 'admin', role: 'ADMIN' })).toMatchObject({ role: 'ADMIN' })
  })

  test('also when two demote each other at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, two] = [await administrator(app, `one-${round}`), await administrator(app, `two-${round}`)]
      await Promise.all([
        one.api.ask(AccountUpdateUserDocument, { input: { user: two.username, role: 'MEMBER' } }),
        two.api.ask(AccountDeactivateUserDocument, { input: { user: one.username } }),
      ])

      const { users } = await app.api.send(AccountUsersDocument, {
        filter: { search: `-${round}`, role: 'ADMIN', active: true },
      })
      expect(users.totalCount).toBe(1)
    }
  })
})

describe('the accounts', () => {
  test('are found by role, text and whether they are shut, page by page', async () => {
    for (const name of ['zoe-1', 'zoe-2', 'zoe-3']) await person(app, name)
    await deactivate('zoe-2')
    const names = async (filter: object, page: object = {}) => {
      const { users } = await app.api.send(AccountUsersDocument, { filter, ...page })
      return { names: users.edges.map(({ node }) => node.username), ...users }
    }

    expect((await names({ search: 'zoe' })).names).toEqual(['zoe-3', 'zoe-2', 'zoe-1'])
    expect((await names({ search: 'ZOE-', active: true })).names).toEqual(['zoe-3', 'zoe-1'])
    expect((await names({ search: 'zoe', active: false })).names).toEqual(['zoe-2'])
    expect((await names({ search: 'zoe', role: 'ADMIN' })).totalCount).toBe(0)
    expect((await names({ search: 'zoe-1@example' })).names).toEqual(['zoe-1'])
    const first = await names({ search: 'zoe' }, { first: 2 })
    const rest = await names({ search: 'zoe' }, { first: 2, after: first.pageInfo.endCursor })
    expect([first.totalCount, ...rest.names]).toEqual([3, 'zoe-1'])
  })

  test('are counted', async () => {
    const { serverStatistics } = await app.api.send(AccountStatisticsDocument)
    const { users } = await app.api.send(AccountUsersDocument)

    expect(serverStatistics.users).toBe(users.totalCount)
    expect(serverStatistics.activeUsers).toBeLessThanOrEqual(users.totalCount)
    expect(serverStatistics.administrators).toBeGreaterThan(0)
    expect(serverStatistics).toMatchObject({ projects: 2, datasets: 1, runs: [], artifacts: 0, logLines: 0 })
  })

  test.each([
    '{ users { totalCount } }',
    '{ serverStatistics { users } }',
    'mutation { createUser(input: { username: "x" }) { __typename } }',
    'mutation { updateUser(input: { user: "admin", role: MEMBER }) { __typename } }',
    'mutation { deactivateUser(input: { user: "admin" }) { __typename } }',
    'mutation { reactivateUser(input: { user: "admin" }) { __typename } }',
    'mutation { deleteUser(input: { user: "admin" }) { __typename } }',
    'mutation { revokeInvitation(input: { invitationId: "x" }) { __typename } }',
  ])('are no business of members: %s', async (operation) => {
    const member = (await app.api.send(AccountUserDocument, { ref: 'member' })).user
      ? await login('member', 'password of member')
      : null
    const api = member ? as(app, expected(member, 'Session').accessToken) : (await person(app, 'member')).api

    expect(await api.ask(operation)).toMatchObject(refused('FORBIDDEN'))
  })
})
