import { expect, test } from 'vitest'
import { createPauses, pauseAfter } from '../../src/client/pauses.ts'

const LIMITS = { firstMs: 500, longestMs: 30_000 }
/** A pause that no test lives to see the end of. */
const FOREVER = { firstMs: 3_600_000, longestMs: 3_600_000 }

test('a pause is twice the one before, up to the longest, however often it fails', () => {
  const pauses = [0, 1, 2, 6, 7, 100, 5000].map((failures) => pauseAfter(failures, LIMITS, 0))
  expect(pauses).toEqual([500, 1000, 2000, 30_000, 30_000, 30_000, 30_000])
})

test('a pause is shorter by chance, by up to a half', () => {
  expect([0, 0.5, 1].map((random) => pauseAfter(2, LIMITS, random))).toEqual([2000, 1500, 1000])
  const drawn = Array.from({ length: 100 }, () => pauseAfter(2, LIMITS))
  expect(new Set(drawn).size).toBeGreaterThan(50)
  expect(drawn.every((ms) => ms >= 1000 && ms <= 2000)).toBe(true)
})

test('all who wait go on together when things have changed', async () => {
  const pauses = createPauses(FOREVER)
  const waiting = Promise.all([pauses.wait(), pauses.wait()])

  pauses.skip()

  await waiting
})

test('whoever does not want to wait any more goes on alone', async () => {
  const pauses = createPauses(FOREVER)
  const impatient = new AbortController()
  let wentOn = false
  const other = pauses.wait().then(() => {
    wentOn = true
  })
  const waiting = pauses.wait(impatient.signal)

  impatient.abort()

  await waiting
  await pauses.wait(impatient.signal)
  expect(wentOn).toBe(false)
  pauses.skip()
  await other
})
