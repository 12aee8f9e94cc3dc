import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccountCreateInvitationDocument,
  AccountInvitationsDocument,
  AccountRegisterDocument,
  AccountRevokeInvitationDocument,
  type RegisterInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { as, expected, invitation, person, refused, whoIs } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

async function register(input: Partial<RegisterInput>, server: TestApp = app) {
  const complete = { username: 'somebody', password: 'long enough', ...input }
  return (await as(server, null).send(AccountRegisterDocument, { input: complete })).register
}

const WITHOUT_ACCOUNT = { __typename: 'ValidationError', issues: [{ path: ['invitationToken'] }] }

describe('an invitation', () => {
  test('makes an account that is signed in, with the role that it names', async () => {
    const invitationToken = await invitation(app, { role: 'ADMIN' })

    const session = expected(
      await register({ username: 'Ada', email: 'Ada@Example.org', invitationToken }),
      'Session',
    )

    expect(session.user).toMatchObject({ username: 'ada', email: 'ada@example.org', role: 'ADMIN' })
    expect(session.user.mustChangePassword).toBe(false)
    expect(await whoIs(as(app, session.accessToken))).toBe('ada')
  })

  test('is a link to a page, with the secret where no log sees it', async () => {
    const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, { input: {} })
    const { url, token, invitedBy, acceptedAt } = expected(createInvitation, 'Invitation')

    expect(url).toBe(`${app.url}/account/accept-invitation#token=${token}`)
    expect({ invitedBy, acceptedAt }).toEqual({ invitedBy: { username: 'admin' }, acceptedAt: null })
  })

  test('is good once, for one of many at the same time', async () => {
    const invitationToken = await invitation(app)

    const answers = await Promise.all(
      ['first', 'second', 'third'].map((username) => register({ username, invitationToken })),
    )

    expect(answers.map((answer) => answer.__typename).sort()).toEqual([
      'Session',
      'ValidationError',
      'ValidationError',
    ])
    expect(await register({ username: 'fourth', invitationToken })).toMatchObject(WITHOUT_ACCOUNT)
  })

  test('for an address is good for that one only, and gives it to the account', async () => {
    const invitationToken = await invitation(app, { email: 'Grace@example.org' })

    expect(await register({ username: 'mallory', email: 'm@example.org', invitationToken })).toMatchObject({
      issues: [{ path: ['email'] }],
    })
    expect(await register({ username: 'grace', invitationToken })).toMatchObject({
      user: { email: 'grace@example.org' },
    })
  })

  test('puts the account into a project', async () => {
    const project = await seed(app.api).project({ name: 'shared' })
    const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, {
      input: { project, projectRole: 'EDITOR' },
    })
    const made = expected(createInvitation, 'Invitation')
    await register({ username: 'linus', invitationToken: made.token })

    expect(made).toMatchObject({ project: { name: 'shared' }, projectRole: 'EDITOR' })
    const { edges } = (await app.api.send(AccountInvitationsDocument)).invitations
    expect(edges[0]?.node).toMatchObject({ acceptedBy: { username: 'linus' }, token: null, url: null })
    expect(edges[0]?.node.acceptedAt).not.toBeNull()
  })

  test('that was taken back makes none', async () => {
    const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, { input: {} })
    const { id: invitationId, token: invitationToken } = expected(createInvitation, 'Invitation')
    const revoke = () => app.api.send(AccountRevokeInvitationDocument, { input: { invitationId } })

    expect(await revoke()).toEqual({
      revokeInvitation: { __typename: 'Invitation', id: invitationId, invitedBy: { username: 'admin' } },
    })
    expect(await register({ username: 'late', invitationToken })).toMatchObject(WITHOUT_ACCOUNT)
    expect(await revoke()).toMatchObject({ revokeInvitation: { __typename: 'NotFoundError' } })
  })

  test.each([
    ['to a project that is not there', { project: 'nowhere' }, 'NotFoundError'],
    ['with a role in no project', { projectRole: 'OWNER' } as const, 'ValidationError'],
    ['to something that is no address', { email: 'nobody' }, 'ValidationError'],
    ['to be mailed to nobody', { sendMail: true }, 'ValidationError'],
    ['to be mailed by a server without mail', { sendMail: true, email: 'a@b.org' }, 'UnavailableError'],
  ])('%s is not made', async (_what, input, error) => {
    const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, { input })

    expect(createInvitation.__typename).toBe(error)
  })

  test('is nothing for members', async () => {
    const { api } = await person(app, 'member')

    expect(await api.ask(AccountCreateInvitationDocument, { input: {} })).toMatchObject(refused('FORBIDDEN'))
    expect(await api.ask(AccountInvitationsDocument)).toMatchObject(refused('FORBIDDEN'))
    const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, { input: {} })
    const { id } = expected(createInvitation, 'Invitation')
    const node = 'query ($id: ID!) { node(id: $id) { id } }'
    expect(await api.send(node, { id })).toEqual({ node: null })
    expect(await app.api.send(node, { id })).toEqual({ node: { id } })
  })
})

describe('without an invitation', () => {
  test.each([undefined, 'tyi_made-up', ''])('%j nobody registers, and learns nothing', async (token) => {
    const free = await register({ username: 'free', invitationToken: token })
    const taken = await register({ username: 'admin', invitationToken: token })

    expect(free).toMatchObject(WITHOUT_ACCOUNT)
    expect(taken).toEqual(free)
  })

  test('everybody registers where registration is open', async () => {
    const open = await startTestApp({ registration: 'open' })
    const first = await register({ username: 'first', email: 'first@example.org' }, open)
    const sameName = await register({ username: 'FIRST', email: 'other@example.org' }, open)
    const sameAddress = await register({ username: 'other', email: 'First@example.org' }, open)
    const reserved = await register({ username: 'admin' }, open)
    await open.stop()

    expect(first).toMatchObject({ user: { username: 'first', role: 'MEMBER' } })
    expect(sameName).toMatchObject({ __typename: 'ConflictError' })
    expect(sameAddress).toEqual(sameName)
    expect(reserved).toEqual(sameName)
  })

  test('nobody tries many names from one address', async () => {
    const open = await startTestApp({ registration: 'open' })
    const answers = []
    for (let i = 0; i < 21; i++) answers.push(await register({ username: 'admin' }, open))
    await open.stop()

    expect(new Set(answers.slice(0, 20).map(({ __typename }) => __typename))).toEqual(
      new Set(['ConflictError']),
    )
    expect(answers[20]).toMatchObject({ code: 'UNAVAILABLE' })
  })

  test('nobody registers where it is off, nor is invited', async () => {
    const closed = await startTestApp({ registration: 'off' })
    const input = { username: 'somebody', password: 'long enough' }
    const answer = await as(closed, null).ask(AccountRegisterDocument, { input })
    const invited = await closed.api.send(AccountCreateInvitationDocument, { input: {} })
    await closed.stop()

    expect(answer).toMatchObject(refused('FORBIDDEN'))
    expect(invited).toMatchObject({ createInvitation: { __typename: 'ConflictError' } })
  })
})

describe('a new account', () => {
  test.each([
    ['username', ''],
    ['username', 'x'.repeat(64)],
    ['username', '-dash'],
    ['username', 'two words'],
    ['username', 'slash/../..'],
    ['username', 'deleted:usr'],
    ['username', 'usr_01kakakakakakakakakakakaka'],
    ['email', 'nobody'],
    ['email', 'a@b.org\nBcc: c@d.org'],
    ['password', 'short'],
    ['password', 'x'.repeat(1025)],
  ])('does not take %s %j', async (field, value) => {
    const invitationToken = await invitation(app)

    expect(await register({ [field]: value, invitationToken })).toMatchObject({ issues: [{ path: [field] }] })
  })
})
