import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../src/db/database.ts'
import { createAccounts } from '../../../src/domains/accounts/create.ts'
import type { Origin, Principal } from '../../../src/domains/accounts/principal.ts'
import { accountTopics } from '../../../src/domains/accounts/topics.ts'
import { createSignals } from '../../../src/streams/signals.ts'

/** A letter that was handed over. */
interface Letter {
  to: string
  link: string
  minutes: number
  by: string
}

let folder: string
let database: Database
let accounts: ReturnType<typeof createAccounts>
let admin: Principal
const signals = createSignals()
const ORIGIN: Origin = { address: '192.0.2.1', userAgent: 'test' }
const letters: Letter[] = []
const failures: unknown[] = []
let isMailDown = false

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-rights-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
  const keep = (to: string, { link, minutes }: { link: string; minutes: number }, by: string) => {
    if (isMailDown) throw new Error('The mail server is down.')
    letters.push({ to, link, minutes, by })
  }
  accounts = createAccounts({
    database,
    signals,
    sessionKey: new Uint8Array(32).fill(1),
    sessionMinutes: 60,
    refreshDays: 30,
    registration: 'invitation',
    loginFailuresPerAddress: 0,
    link: (page, secret) => `https://trainyard.example.org/${page}/${secret}`,
    mail: {
      invitation: async (to, about) => keep(to, about, about.invitedBy),
      passwordReset: async (to, about) => keep(to, about, about.askedBy),
    },
    onError: (error) => failures.push(error),
  })
  await accounts.services.accounts.ensureAdministrator('correct-horse')
  admin = await signIn('admin', 'correct-horse')
})
afterAll(async () => {
  await accounts.settle()
  await database.close()
  await rm(folder, { recursive: true })
})

async function signIn(username: string, password: string): Promise<Principal> {
  const session = await accounts.services.accounts.login(ORIGIN, { username, password })
  return accounts.authenticate(session.accessToken, ORIGIN)
}

let made = 0

/** Somebody with a sign-in and a token, each as whoever it speaks for. */
async function somebody() {
  const { services, authenticate } = accounts
  const username = `person-${++made}`
  const password = `password of ${username}`
  const { token: invitationToken } = await services.invitations.create(admin, {})
  const input = { username, email: `${username}@example.org`, password, invitationToken }
  const session = await services.registration.register(ORIGIN, input)
  const signedIn = await authenticate(session.accessToken, ORIGIN)
  const { id, token } = await services.apiTokens.create(signedIn, { name: 'script' })
  const script = await authenticate(token, ORIGIN)
  return { username, password, signedIn, script, tokenId: id, userId: session.userId }
}
type Somebody = Awaited<ReturnType<typeof somebody>>

/** The ids that come with the signals while something is done. */
async function signalsOf(work: () => Promise<unknown>): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = []
  const stop = signals.listen(accountTopics.rights, (id) => ids.push(id))
  try {
    await work()
  } finally {
    stop()
  }
  return ids
}

describe('what takes rights away is told, and is so at once', () => {
  const services = () => accounts.services
  test.each<[string, (someone: Somebody) => Promise<unknown>, { signedIn: boolean; script: boolean }]>([
    [
      'a sign-in that is revoked',
      ({ signedIn }) => services().sessions.revoke(admin, { sessionId: signedIn.credential.id }),
      { signedIn: false, script: true },
    ],
    [
      'a logout',
      ({ signedIn }) => services().sessions.logout(signedIn, null, ORIGIN),
      { signedIn: false, script: true },
    ],
    [
      'a logout everywhere',
      ({ signedIn }) => services().sessions.logoutEverywhere(signedIn, {}),
      { signedIn: false, script: true },
    ],
    [
      'a logout everywhere else',
      ({ signedIn }) => services().sessions.logoutEverywhere(signedIn, { exceptCurrent: true }),
      { signedIn: true, script: true },
    ],
    [
      'a token that is revoked',
      ({ signedIn, tokenId }) => services().apiTokens.revoke(signedIn, { tokenId }),
      { signedIn: true, script: false },
    ],
    [
      'another role',
      ({ username }) => services().userAdministration.update(admin, { user: username, role: 'ADMIN' }),
      { signedIn: false, script: false },
    ],
    [
      'an account that is shut',
      ({ username }) => services().userAdministration.deactivate(admin, { user: username }),
      { signedIn: false, script: false },
    ],
    [
      'an account that is deleted',
      ({ username }) => services().userAdministration.delete(admin, { user: username }),
      { signedIn: false, script: false },
    ],
    [
      'a new password',
      ({ signedIn, password }) =>
        services().ownAccount.changePassword(signedIn, {
          currentPassword: password,
          newPassword: 'brand new password',
        }),
      { signedIn: true, script: true },
    ],
    [
      'a password that was reset',
      async ({ username }) => {
        const { token } = await services().passwordResets.create(admin, { user: username })
        await services().passwordResets.use(ORIGIN, { token, newPassword: 'brand new password' })
      },
      { signedIn: false, script: true },
    ],
  ])('%s', async (_what, work, expected) => {
    const someone = await somebody()
    const other = await somebody()
    const everybody = [someone.signedIn, someone.script, other.signedIn, other.script]
    expect(await accounts.stillValid(everybody)).toEqual([true, true, true, true])

    expect(await signalsOf(() => work(someone))).toEqual([someone.userId])

    const { signedIn, script } = expected
    expect(await accounts.stillValid(everybody)).toEqual([signedIn, script, true, true])
  })

  test('a refresh token that somebody has a copy of', async () => {
    const { username, password } = await somebody()
    const first = await accounts.services.accounts.login(ORIGIN, { username, password })
    const principal = await accounts.authenticate(first.accessToken, ORIGIN)
    const second = await services().sessions.refresh(first.refreshToken, ORIGIN)
    await services().sessions.refresh(second.refreshToken, ORIGIN)

    const ids = await signalsOf(async () => {
      await expect(services().sessions.refresh(first.refreshToken, ORIGIN)).rejects.toThrow('ended')
    })

    expect(ids).toEqual([first.userId])
    expect(await accounts.stillValid([principal])).toEqual([false])
  })
})

test('of two administrators who demote each other at once, one stays', async () => {
  const { userAdministration } = accounts.services
  const [one, two] = [await somebody(), await somebody()]
  for (const { username } of [one, two])
    await userAdministration.update(admin, { user: username, role: 'ADMIN' })
  // Both have been let in before either is done.
  const first = await signIn(one.username, one.password)
  const second = await signIn(two.username, two.password)

  const outcomes = await Promise.allSettled([
    userAdministration.update(first, { user: two.username, role: 'MEMBER' }),
    userAdministration.delete(second, { user: one.username }),
  ])

  expect(outcomes).toMatchObject([
    { status: 'fulfilled', value: { role: 'MEMBER' } },
    { status: 'rejected', reason: { code: 'FORBIDDEN' } },
  ])
})

describe('whether credentials still count', () => {
  test('is asked for thousands in two statements', async () => {
    const { signedIn, script } = await somebody()
    const principals = Array.from({ length: 2000 }, (_, i) => (i % 2 ? signedIn : script))
    const statements: string[] = []
    const stop = database.onStatement((sql) => statements.push(sql))
    const answers = await accounts.stillValid(principals)
    stop()

    expect(answers).toEqual(principals.map(() => true))
    expect(statements.filter((sql) => /UserSession|ApiToken/.test(sql))).toHaveLength(2)
    expect(statements.length).toBeLessThanOrEqual(4) // and two for their users
  })

  test('depends on when the token ends', async () => {
    const { signedIn } = await somebody()

    expect(await accounts.stillValid([{ ...signedIn, expiresAt: new Date(Date.now() - 1) }])).toEqual([false])
    expect(await accounts.stillValid([])).toEqual([])
  })
})

describe('a letter', () => {
  const open = (username: string) => accounts.services.passwordResets.request(ORIGIN, { username })

  test('goes to whoever is invited', async () => {
    const { token } = await accounts.services.invitations.create(admin, {
      email: 'new@example.org',
      sendMail: true,
    })

    expect(letters.pop()).toEqual({
      to: 'new@example.org',
      link: `https://trainyard.example.org/accept-invitation/${token}`,
      minutes: 7 * 24 * 60,
      by: 'admin',
    })
  })

  test('that cannot be sent leaves no invitation', async () => {
    const before = await database.prisma.invitation.count()
    isMailDown = true
    const invited = accounts.services.invitations.create(admin, { email: 'a@example.org', sendMail: true })
    await expect(invited).rejects.toThrow('down')
    isMailDown = false

    expect(await database.prisma.invitation.count()).toBe(before)
  })

  test('goes to whoever forgot their password, and its link is good', async () => {
    const { username, userId } = await somebody()

    expect(await open(`${username}@example.org`)).toEqual({
      username: `${username}@example.org`,
      validMinutes: 60,
    })
    await accounts.settle()

    const letter = letters.pop()
    expect(letter).toMatchObject({ to: `${username}@example.org`, by: 'somebody at 192.0.2.1' })
    const token = letter?.link.split('/').at(-1)
    const session = await accounts.services.passwordResets.use(ORIGIN, { token, newPassword: 'brand new' })
    expect(session.userId).toBe(userId)
  })

  test('does not tell who has an account: the answer is the same, and nothing comes', async () => {
    expect(await open('nobody')).toEqual({ username: 'nobody', validMinutes: 60 })
    expect(await open('admin')).toEqual({ username: 'admin', validMinutes: 60 }) // has no address
    await accounts.settle()

    expect(letters).toEqual([])
  })

  test('that cannot be sent tells nothing either, but to the log', async () => {
    const { username } = await somebody()
    isMailDown = true
    expect(await open(username)).toMatchObject({ username })
    await accounts.settle()
    isMailDown = false

    expect(failures.pop()).toMatchObject({ message: 'The mail server is down.' })
  })

  test('is not sent again and again, whether there is such an account or not', async () => {
    for (const name of ['again', 'somebody else']) {
      for (let i = 0; i < 2; i++) await open(name)
    }
    await open('again')

    await expect(open('again')).rejects.toThrow(/try again in \d+ seconds/)
  })
})
