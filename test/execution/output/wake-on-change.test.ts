import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FolderWatch, watchFolder } from '../../../src/execution/output/wake-on-change.ts'

/** Far longer than a test may take: who waits so long was not woken. */
const FOREVER = 600_000

let folder: string
let file: string
let changes: FolderWatch
let problems: unknown[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  file = join(folder, 'stdout.log')
  await writeFile(file, '')
  problems = []
  changes = watchFolder(folder, (error) => problems.push(error))
})
afterEach(async () => {
  changes.close()
  await rm(folder, { recursive: true, force: true })
})

const never = new AbortController().signal

test('a wait ends when a line is printed', async () => {
  const waiting = changes.wait({ paceMs: 0, pollMs: FOREVER }, never)
  await appendFile(file, 'line\n')
  await waiting
  expect(problems).toEqual([])
})

test('what was printed since the last wait ends the next one', async () => {
  const next = watchFolder(folder, (error) => problems.push(error))
  await appendFile(file, 'line\n')
  // Both have been told of it once the second has.
  await changes.wait({ paceMs: 0, pollMs: FOREVER }, never)
  await next.wait({ paceMs: 0, pollMs: FOREVER }, never)
  next.close()
})

test('a file that is made later is noticed too', async () => {
  const waiting = changes.wait({ paceMs: 0, pollMs: FOREVER }, never)
  await writeFile(join(folder, 'stderr.log'), 'out of tune\n')
  await waiting
})

test('however much is printed, a wait lasts as long as its pace', async () => {
  await appendFile(file, 'line\n')
  const startedAt = performance.now()
  await changes.wait({ paceMs: 200, pollMs: FOREVER }, never)
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199)
})

test('where changes cannot be watched a wait ends by itself, and it is said why', async () => {
  const blind = watchFolder(join(folder, 'missing'), (error) => problems.push(error))
  await blind.wait({ paceMs: 0, pollMs: 1 }, never)
  blind.close()
  expect(problems).toMatchObject([{ code: 'ENOENT' }])
})

test('a wait ends when it is called off', async () => {
  const calledOff = new AbortController()
  const waiting = changes.wait({ paceMs: FOREVER, pollMs: FOREVER }, calledOff.signal)
  calledOff.abort()
  await waiting
})
