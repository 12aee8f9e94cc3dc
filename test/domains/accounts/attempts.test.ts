import { describe, expect, test } from 'vitest'
import { createAttempts, pauseAfter } from '../../../src/domains/accounts/attempts.ts'

/** Attempts at a time that a test steers, in seconds. */
function attemptsAt(failuresPerAddress = 0) {
  let seconds = 0
  const attempts = createAttempts({ failuresPerAddress, now: () => new Date(seconds * 1000 + 1e12) })
  const answer = async (isRight: boolean, account: string, address: string) => {
    try {
      return (await attempts.try({ account, address }, async () => isRight)) ? 'right' : 'wrong'
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
  return {
    attempts,
    fail: (account = 'ada', address = '192.0.2.1') => answer(false, account, address),
    succeed: (account = 'ada', address = '192.0.2.1') => answer(true, account, address),
    wait: (more: number) => {
      seconds += more
    },
  }
}

const TOO_MANY = /^Too many wrong passwords: try again in (\d+) seconds?\.$/

describe('whoever guesses', () => {
  test('has five tries, and then a pause that doubles up to a quarter of an hour', async () => {
    const { fail, wait } = attemptsAt()
    for (let i = 0; i < 5; i++) expect(await fail()).toBe('wrong')

    const pauses: number[] = []
    for (let i = 0; i < 12; i++) {
      const seconds = Number(TOO_MANY.exec(await fail())?.[1])
      pauses.push(seconds)
      wait(seconds)
      expect(await fail()).toBe('wrong')
    }

    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900])
  })

  test('is not told even when right while the pause lasts, which that does not lengthen', async () => {
    const { fail, succeed, wait } = attemptsAt()
    for (let i = 0; i < 5; i++) await fail()

    for (let i = 0; i < 10; i++) expect(await succeed()).toMatch(TOO_MANY)
    wait(1)

    expect(await succeed()).toBe('right')
    for (let i = 0; i < 5; i++) expect(await fail()).toBe('wrong') // all is forgotten
  })

  test('gains nothing by many attempts at once', async () => {
    const { fail } = attemptsAt()

    const answers = await Promise.all(Array.from({ length: 40 }, () => fail()))

    expect(answers.filter((answer) => answer === 'wrong')).toHaveLength(5)
  })

  test('keeps nobody else out', async () => {
    const { fail, succeed } = attemptsAt()
    for (let i = 0; i < 10; i++) await fail('ada')

    expect(await succeed('grace')).toBe('right')
  })

  test('has a limit for all accounts together, by address', async () => {
    const { fail, succeed } = attemptsAt(10)
    for (let i = 0; i < 10; i++) await fail(`name-${i}`, '192.0.2.7')

    expect(await succeed('grace', '192.0.2.7')).toMatch(TOO_MANY)
    expect(await succeed('grace', '192.0.2.8')).toBe('right')
  })

  test('has no more by address when all accounts are tried at once, and those who are right take nothing of it', async () => {
    const { fail, succeed } = attemptsAt(10)
    for (let i = 0; i < 20; i++) expect(await succeed(`name-${i}`)).toBe('right')

    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => fail(`name-${i}`)))

    expect(answers.filter((answer) => answer === 'wrong')).toHaveLength(10)
    expect(await succeed('grace')).toMatch(TOO_MANY)
  })
})

test('a new password ends the pause', async () => {
  const { attempts, fail, succeed } = attemptsAt()
  for (let i = 0; i < 5; i++) await fail()
  attempts.forget('ada')

  expect(await succeed()).toBe('right')
})

test('the pause never ends for good, nor grows without end', () => {
  expect([0, 4, 5, 6, 100, 2000].map(pauseAfter)).toEqual([0, 0, 1000, 2000, 900_000, 900_000])
})
