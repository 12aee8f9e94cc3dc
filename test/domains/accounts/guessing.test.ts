import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AccountChangePasswordDocument, AccountLoginDocument } from '../../../src/generated/operations.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import { as, person } from '../../support/people.ts'
import { until } from '../../support/until.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ loginFailuresPerAddress: 0 })
})
afterAll(() => app.stop())

async function login(username: string, password: string, server: TestApp = app) {
  return (await as(server, null).send(AccountLoginDocument, { input: { username, password } })).login
}

const THROTTLED = {
  __typename: 'UnavailableError',
  message: expect.stringMatching(/try again in \d+ seconds?/),
}

describe('after five wrong passwords', () => {
  test.each(['known', 'nobody'])('for the name %s the next attempts are refused alike', async (name) => {
    if (name === 'known') await person(app, name)
    for (let i = 0; i < 5; i++)
      expect(await login(name, 'wrong')).toMatchObject({ code: 'VALIDATION_FAILED' })

    expect(await login(name, 'wrong')).toMatchObject(THROTTLED)
  })

  test('the right one is refused too, until the pause is over', async () => {
    const ada = await person(app, 'ada')
    for (let i = 0; i < 5; i++) await login('ada', 'wrong')

    // By the other name of the same account.
    expect(await login(ada.email, ada.password)).toMatchObject(THROTTLED)
    const answer = await until('the pause to be over', async () => {
      const latest = await login('ada', ada.password)
      return latest.__typename === 'Session' && latest
    })
    expect(answer.user.username).toBe('ada')
    expect(await login('ada', 'wrong')).toMatchObject({ code: 'VALIDATION_FAILED' }) // counted anew
  })

  test('others sign in, and those who are signed in go on', async () => {
    const grace = await person(app, 'grace')
    for (let i = 0; i < 6; i++) await login('grace', 'wrong')

    expect(await grace.api.ask('{ viewer { username } }')).toMatchObject({
      data: { viewer: { username: 'grace' } },
    })
    expect(await login('admin', PASSWORD)).toMatchObject({ __typename: 'Session' })
  })

  test('changePassword counts as well', async () => {
    const { api } = await person(app, 'linus')
    const change = async () => {
      const input = { currentPassword: 'wrong', newPassword: 'something else' }
      return (await api.send(AccountChangePasswordDocument, { input })).changePassword
    }
    for (let i = 0; i < 5; i++) expect(await change()).toMatchObject({ code: 'VALIDATION_FAILED' })

    expect(await change()).toMatchObject(THROTTLED)
  })
})

test('many attempts in one request are as many attempts', async () => {
  const fields = Array.from({ length: 10 }, (_, i) => `a${i}: login(input: $input) { __typename }`)
  const answer = await as(app, null).send<Record<string, { __typename: string }>, object>(
    `mutation ($input: LoginInput!) { ${fields.join(' ')} }`,
    { input: { username: 'aliased', password: 'wrong' } },
  )

  expect(Object.values(answer).map(({ __typename }) => __typename)).toEqual([
    ...Array<string>(5).fill('ValidationError'),
    ...Array<string>(5).fill('UnavailableError'),
  ])
})

test('many attempts at once are as many attempts', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => login('parallel', 'wrong')))

  expect(answers.filter(({ __typename }) => __typename === 'ValidationError')).toHaveLength(5)
})

test('many accounts from one address are refused together', async () => {
  const strict = await startTestApp({ loginFailuresPerAddress: 3 })
  for (let i = 0; i < 3; i++) await login(`name-${i}`, 'wrong', strict)
  const answer = await login('admin', PASSWORD, strict)
  await strict.stop()

  expect(answer).toMatchObject(THROTTLED)
})

test('a name that nobody has takes as long as one that somebody has', async () => {
  await person(app, 'timed')
  const times = { known: [] as number[], unknown: [] as number[] }
  for (let i = 0; i < 60; i++) {
    const isKnown = i % 2 === 0
    // Another name each time, so that none is refused before the password is looked at.
    const name = isKnown ? (await person(app, `timed-${i}`)).username : `nobody-${i}`
    const start = performance.now()
    await login(name, 'wrong')
    times[isKnown ? 'known' : 'unknown'].push(performance.now() - start)
  }

  // The quickest of each: whatever else the machine does only ever adds to it. Without a hash to compute, a name that
  // nobody has would be refused in a tenth of the time.
  const ratio = Math.min(...times.known) / Math.min(...times.unknown)
  expect(ratio).toBeGreaterThan(0.5)
  expect(ratio).toBeLessThan(2)
})
