import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import { createOperatorResets } from '../../../src/domains/accounts/password-resets.ts'
import {
  AccountChangePasswordDocument,
  AccountCreateApiTokenDocument,
  AccountCreatePasswordResetDocument,
  AccountCreateUserDocument,
  AccountDeactivateUserDocument,
  AccountLoginDocument,
  AccountRequestPasswordResetDocument,
  AccountResetPasswordDocument,
  AccountUpdateDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import {
  accessTokenOf,
  as,
  expected,
  type Person,
  person,
  refused,
  signInAgain,
  whoIs,
} from '../../support/people.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const login = async (username: string, password: string) =>
  (await as(app, null).send(AccountLoginDocument, { input: { username, password } })).login

const change = async ({ api, password }: Person, newPassword: string, currentPassword = password) =>
  (await api.send(AccountChangePasswordDocument, { input: { currentPassword, newPassword } })).changePassword

const reset = async (token: string, newPassword: string) =>
  (await as(app, null).send(AccountResetPasswordDocument, { input: { token, newPassword } })).resetPassword

async function linkFor(user: string): Promise<string> {
  const { createPasswordReset } = await app.api.send(AccountCreatePasswordResetDocument, { input: { user } })
  return expected(createPasswordReset, 'PasswordReset').token
}

const BAD_LINK = { __typename: 'ValidationError', issues: [{ path: ['token'] }] }

describe('a new password', () => {
  test('takes the place of the old one, and ends all other sign-ins and open links', async () => {
    const ada = await person(app, 'ada')
    const other = await signInAgain(app, ada)
    const link = await linkFor('ada')

    expect(await change(ada, 'another password')).toMatchObject({ __typename: 'User', username: 'ada' })

    expect(await whoIs(ada.api)).toBe('ada')
    expect(await whoIs(other)).toBeNull()
    expect(await login('ada', ada.password)).toMatchObject({ code: 'VALIDATION_FAILED' })
    expect(await login('ada', 'another password')).toMatchObject({ __typename: 'Session' })
    expect(await reset(link, 'a third password')).toMatchObject(BAD_LINK)
  })

  test('takes the old one', async () => {
    const grace = await person(app, 'grace')

    expect(await change(grace, 'another password', 'wrong')).toMatchObject({
      issues: [{ path: ['currentPassword'] }],
    })
    expect(await login('grace', grace.password)).toMatchObject({ __typename: 'Session' })
  })

  test.each([
    ['the same', 'password of same'],
    ['too short', 'short'],
  ])('that is %s is refused', async (_what, newPassword) => {
    const same = await person(app, newPassword === 'short' ? 'short' : 'same')

    expect(await change(same, newPassword)).toMatchObject({ issues: [{ path: ['newPassword'] }] })
  })

  test('is not set by an API token', async () => {
    const linus = await person(app, 'linus')
    const { createApiToken } = await linus.api.send(AccountCreateApiTokenDocument, {
      input: { name: 'script', scopes: ['ADMIN'] },
    })
    const script = as(app, expected(createApiToken, 'ApiToken').token ?? '')
    const input = { currentPassword: linus.password, newPassword: 'another password' }

    expect(await script.ask(AccountChangePasswordDocument, { input })).toMatchObject(refused('FORBIDDEN'))
    expect(
      await script.ask(AccountUpdateDocument, {
        input: { email: 'thief@example.org', currentPassword: linus.password },
      }),
    ).toMatchObject(refused('FORBIDDEN'))
  })
})

describe('a password that others know', () => {
  /** Somebody whose password an administrator has set. */
  async function newcomer(username: string): Promise<Person> {
    const password = 'known to the administrator'
    await app.api.send(AccountCreateUserDocument, { input: { username, password } })
    const api = as(app, await accessTokenOf(app, username, password))
    return { id: '', username, email: '', password, api }
  }

  test('is good for nothing but to change it', async () => {
    const { api } = await newcomer('newcomer')

    expect(await api.ask('{ viewer { username mustChangePassword } }')).toMatchObject({
      data: { viewer: { username: 'newcomer', mustChangePassword: true } },
    })
    expect(await api.ask('{ serverInfo { version } }')).toHaveProperty('data.serverInfo.version')
    const refusal = {
      errors: [{ extensions: { code: 'FORBIDDEN', reason: 'PASSWORD_CHANGE_REQUIRED' } }],
    }
    for (const operation of [
      '{ user(ref: "admin") { username } }',
      '{ projects { totalCount } }',
      'mutation { createApiToken(input: { name: "x" }) { __typename } }',
      'mutation { updatePreferences(input: { theme: DARK }) { __typename } }',
      'mutation { logoutEverywhere(input: {}) { __typename } }',
    ]) {
      expect(await api.ask(operation)).toMatchObject(refusal)
    }
  })

  test('nor does it show others, or secrets of one’s own', async () => {
    const { api } = await newcomer('curious')
    const admin = await app.api.send<{ viewer: { id: string } }, object>('{ viewer { id } }')

    expect(
      await api.ask('query ($id: ID!) { node(id: $id) { ... on User { username } } }', {
        id: admin.viewer.id,
      }),
    ).toMatchObject({ errors: [{ extensions: { reason: 'PASSWORD_CHANGE_REQUIRED' } }] })
    expect(await api.ask('{ viewer { sessions { totalCount } apiTokens { totalCount } } }')).toMatchObject({
      data: { viewer: { sessions: { totalCount: 0 }, apiTokens: { totalCount: 0 } } },
    })
  })

  test('once changed leaves everything open, also to the sign-in that changed it', async () => {
    const someone = await newcomer('settled')

    expect(await change(someone, 'known to nobody else')).toMatchObject({ mustChangePassword: false })
    expect(await someone.api.ask('{ projects { totalCount } }')).toMatchObject({
      data: { projects: { totalCount: 0 } },
    })
  })
})

describe('a link', () => {
  test('sets a new password once, signs in, and ends what was signed in', async () => {
    const ken = await person(app, 'ken')
    const [first, second] = [await linkFor('ken'), await linkFor(ken.id)]

    const session = expected(await reset(first, 'brand new password'), 'Session')

    expect(await whoIs(as(app, session.accessToken))).toBe('ken')
    expect(await whoIs(ken.api)).toBeNull()
    expect(await login('ken', 'brand new password')).toMatchObject({ __typename: 'Session' })
    for (const used of [first, second]) {
      expect(await reset(used, 'yet another password')).toMatchObject(BAD_LINK)
    }
  })

  test('is good for one of many at the same time', async () => {
    await person(app, 'dennis')
    const token = await linkFor('dennis')

    const answers = await Promise.all([1, 2, 3].map((i) => reset(token, `password number ${i}`)))

    expect(answers.filter(({ __typename }) => __typename === 'Session')).toHaveLength(1)
  })

  test('leaves API tokens', async () => {
    const bjarne = await person(app, 'bjarne')
    const { createApiToken } = await bjarne.api.send(AccountCreateApiTokenDocument, {
      input: { name: 'script' },
    })
    await reset(await linkFor('bjarne'), 'brand new password')

    expect(await whoIs(as(app, expected(createApiToken, 'ApiToken').token))).toBe('bjarne')
  })

  test.each(['', 'typ_made-up', 'x'.repeat(300)])('%j is refused', async (token) => {
    expect(await reset(token, 'brand new password')).toMatchObject(BAD_LINK)
  })

  test('takes a password that is long enough, and stays good until then', async () => {
    await person(app, 'brian')
    const token = await linkFor('brian')

    expect(await reset(token, 'short')).toMatchObject({ issues: [{ path: ['newPassword'] }] })
    expect(await reset(token, 'long enough')).toMatchObject({ __typename: 'Session' })
  })

  test('ends the pause after wrong passwords', async () => {
    await person(app, 'hasty')
    for (let i = 0; i < 7; i++) await login('hasty', 'wrong')
    await reset(await linkFor('hasty'), 'brand new password')

    expect(await login('hasty', 'brand new password')).toMatchObject({ __typename: 'Session' })
  })

  test('leads to a page, with the secret where no log sees it', async () => {
    const { createPasswordReset } = await app.api.send(AccountCreatePasswordResetDocument, {
      input: { user: 'admin' },
    })
    const { url, token, expiresAt } = expected(createPasswordReset, 'PasswordReset')

    expect(url).toBe(`${app.url}/account/reset-password#token=${token}`)
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.now() + 3_600_000)
  })

  test('is made by administrators, and not for an account that is shut', async () => {
    const member = await person(app, 'member')
    const link = await linkFor('member')

    expect(
      await member.api.ask(AccountCreatePasswordResetDocument, { input: { user: 'admin' } }),
    ).toMatchObject(refused('FORBIDDEN'))
    await app.api.send(AccountDeactivateUserDocument, { input: { user: 'member' } })
    expect(await reset(link, 'brand new password')).toMatchObject(BAD_LINK)
    const { createPasswordReset } = await app.api.send(AccountCreatePasswordResetDocument, {
      input: { user: 'member' },
    })
    expect(createPasswordReset.__typename).toBe('ConflictError')
  })

  test('is made by the operator beside the running server', async () => {
    await person(app, 'forgetful')
    const database = await openDatabase(`${app.dataDir}/trainyard.db`)
    const { secret, username } = await createOperatorResets({ database }).issuePasswordReset('Forgetful')
    await expect(createOperatorResets({ database }).issuePasswordReset('nobody')).rejects.toThrow('nobody')
    await database.close()

    expect(username).toBe('forgetful')
    expect(await reset(secret, 'brand new password')).toMatchObject({ __typename: 'Session' })
  })

  test.each(['admin', 'nobody'])('is not mailed for %s by a server that sends no mail', async (username) => {
    const { requestPasswordReset } = await as(app, null).send(AccountRequestPasswordResetDocument, {
      input: { username },
    })

    expect(requestPasswordReset).toEqual({
      __typename: 'UnavailableError',
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ask an administrator'),
    })
  })
})
