import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AccountLoginDocument,
  AccountUpdateDocument,
  AccountUpdatePreferencesDocument,
  AccountUserDocument,
} from '../../../src/generated/operations.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import { as, type Person, person } from '../../support/people.ts'

let app: TestApp
let ada: Person
let grace: Person
beforeAll(async () => {
  app = await startTestApp()
  ada = await person(app, 'ada')
  grace = await person(app, 'grace')
})
afterAll(() => app.stop())

describe('of others one sees', () => {
  test('that they are there and what they may do, and nothing else', async () => {
    await ada.api.send(AccountUpdatePreferencesDocument, { input: { theme: 'DARK' } })

    expect((await grace.api.send(AccountUserDocument, { ref: 'Ada' })).user).toEqual({
      id: ada.id,
      username: 'ada',
      role: 'MEMBER',
      email: null,
      preferences: {},
      mustChangePassword: null,
      lastLoginAt: null,
      deactivatedAt: null,
      sessions: { totalCount: 0 },
      apiTokens: { totalCount: 0 },
    })
  })

  test('the same by node', async () => {
    const query = 'query ($id: ID!) { node(id: $id) { ... on User { username email preferences } } }'

    expect(await grace.api.send(query, { id: ada.id })).toEqual({
      node: { username: 'ada', email: null, preferences: {} },
    })
    expect(await app.api.send(query, { id: ada.id })).toMatchObject({
      node: { email: 'ada@example.org', preferences: { theme: 'DARK' } },
    })
  })

  test('everything as an administrator, and of oneself', async () => {
    for (const api of [app.api, ada.api]) {
      expect((await api.send(AccountUserDocument, { ref: ada.id })).user).toMatchObject({
        email: 'ada@example.org',
        mustChangePassword: false,
        lastLoginAt: expect.any(String),
        sessions: { totalCount: 1 },
      })
    }
  })

  test('nothing of who is not there', async () => {
    expect((await grace.api.send(AccountUserDocument, { ref: 'nobody' })).user).toBeNull()
  })
})

describe('preferences', () => {
  const update = async (input: object) =>
    (await grace.api.send(AccountUpdatePreferencesDocument, { input })).updatePreferences

  test('stay where they are not named', async () => {
    await update({ theme: 'DARK', language: 'ZH_CN', notifications: { runFailed: true } })
    await update({ theme: 'LIGHT' })

    expect(await update({ notifications: { runFinished: false } })).toEqual({
      __typename: 'User',
      preferences: {
        theme: 'LIGHT',
        language: 'ZH_CN',
        notifications: { runFailed: true, runFinished: false },
      },
    })
  })
})

describe('an address', () => {
  const update = async (email: string | null, currentPassword = grace.password) =>
    (await grace.api.send(AccountUpdateDocument, { input: { email, currentPassword } })).updateAccount

  test('is changed with the password, and signed in with', async () => {
    expect(await update('Hopper@Example.org')).toEqual({ __typename: 'User', email: 'hopper@example.org' })
    const { login } = await as(app, null).send(AccountLoginDocument, {
      input: { username: 'HOPPER@example.org', password: grace.password },
    })
    expect(login).toMatchObject({ user: { username: 'grace' } })
  })

  test('is not changed without, nor to that of somebody else, nor to nonsense', async () => {
    expect(await update('other@example.org', 'wrong')).toMatchObject({
      issues: [{ path: ['currentPassword'] }],
    })
    expect(await update('ada@example.org')).toMatchObject({ __typename: 'ConflictError' })
    expect(await update('nonsense')).toMatchObject({ issues: [{ path: ['email'] }] })
    expect(await update(null)).toEqual({ __typename: 'User', email: null })
  })
})

test('who signs in sees their own account with the session', async () => {
  const { login } = await as(app, null).send(AccountLoginDocument, {
    input: { username: 'admin', password: PASSWORD },
  })

  expect(login).toMatchObject({ user: { username: 'admin', mustChangePassword: false, preferences: {} } })
})
