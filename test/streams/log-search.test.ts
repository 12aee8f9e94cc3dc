import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/db/database.ts'
import { appendLogLines, type LogFilter, selectLogLines } from '../../src/streams/log-lines.ts'
import { readLogPage } from '../../src/streams/log-pages.ts'

let folder: string
let database: Database
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
})
afterAll(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

async function logOf(messages: string[]): Promise<number> {
  const { id } = await database.prisma.stream.create({ data: {} })
  const lines = messages.map((message) => {
    const level = message.startsWith('wrong') ? ('ERROR' as const) : ('INFO' as const)
    return { timestamp: new Date(), source: 'STDOUT' as const, level, message }
  })
  await database.transaction((tx) => appendLogLines(database, tx, id, lines))
  return id
}

describe('a log of many slices', () => {
  const NUMBERS = [1, 4096, 4097, 5000, 12_000]
  let streamId: number
  beforeAll(async () => {
    const messages = Array.from({ length: 12_000 }, (_, n) => `line ${n + 1}`)
    for (const number of NUMBERS) messages[number - 1] = `wrong: LINE ${number} is Here`
    streamId = await logOf(messages)
  })
  const seqs = (lines: { seq: number }[]) => lines.map(({ seq }) => seq)
  const page = async (args: object, filter: LogFilter) => {
    const { edges, pageInfo, totalCount } = await readLogPage(database, streamId, { ...args, filter })
    return { seqs: seqs(edges.map(({ node }) => node)), pageInfo, count: await totalCount() }
  }

  test.each<[string, LogFilter]>([
    ['the text', { search: 'is here' }],
    ['the level', { minLevel: 'ERROR' }],
  ])('is looked through for %s from either end', async (_, filter) => {
    const first = await page({ first: 3 }, filter)
    expect(first).toMatchObject({ seqs: [1, 4096, 4097], count: 5, pageInfo: { hasNextPage: true } })
    const rest = await page({ first: 3, after: first.pageInfo.endCursor }, filter)
    expect(rest).toMatchObject({ seqs: [5000, 12_000], pageInfo: { hasNextPage: false } })
    const last = await page({ last: 2 }, filter)
    expect(last).toMatchObject({ seqs: [5000, 12_000], pageInfo: { hasPreviousPage: true } })
    const before = await page({ last: 5, before: last.pageInfo.startCursor }, filter)
    expect(before).toMatchObject({ seqs: [1, 4096, 4097], pageInfo: { hasPreviousPage: false } })
  })

  test('comes in batches that are as full as they may be', async () => {
    const selection = selectLogLines(streamId, { search: 'is here' })
    const batch = async (limit: { lines: number; bytes: number }) =>
      seqs(await database.sql.readLogBatch(database.prisma, selection, limit))
    const length = 'wrong: LINE 1 is Here'.length

    expect(await batch({ lines: 10, bytes: 1000 })).toEqual(NUMBERS)
    expect(await batch({ lines: 4, bytes: 1000 })).toEqual(NUMBERS.slice(0, 4))
    expect(await batch({ lines: 10, bytes: length })).toEqual(NUMBERS.slice(0, 1))
    expect(await batch({ lines: 10, bytes: length + 1 })).toEqual(NUMBERS.slice(0, 2))
  })

  test('is counted without a filter too', async () => {
    expect((await page({ first: 1 }, {})).count).toBe(12_000)
    expect((await page({ first: 1 }, { search: '' })).count).toBe(12_000)
  })
})

test('a text stands for itself, whatever the case of its letters from A to Z', async () => {
  const streamId = await logOf(['100 % done', 'a_b', 'back\\slash', 'Élan', '漢字 Loss'])
  const found = async (search: string) => {
    const { edges } = await readLogPage(database, streamId, { filter: { search } })
    return edges.map(({ node }) => node.seq)
  }
  expect(await found('%')).toEqual([1])
  expect(await found('_')).toEqual([2])
  expect(await found('K\\S')).toEqual([3])
  expect(await found('éLAN')).toEqual([])
  expect(await found('ÉLAN')).toEqual([4])
  expect(await found('loss')).toEqual([5])
})

test('others have their turn while long lines are searched for what almost matches', async () => {
  const MIB = 1024 * 1024
  const streamId = await logOf(Array.from({ length: 64 }, () => 'a'.repeat(MIB / 16)))
  let searching = true
  let turns = 0
  const counting = (async () => {
    while (searching) {
      await turn()
      turns++
    }
  })()

  const pages = Array.from({ length: 3 }, () =>
    readLogPage(database, streamId, { first: 1, filter: { search: `${'a'.repeat(99)}b` } }),
  )
  for (const { edges, totalCount } of await Promise.all(pages)) {
    expect([edges.length, await totalCount()]).toEqual([0, 0])
  }
  searching = false
  await counting

  // At most a mebibyte of the four in a turn, for three pages and three counts.
  expect(turns).toBeGreaterThanOrEqual(3 * 4 + 3 * 4)
})

test('a text that is too long for a log is refused', async () => {
  const streamId = await logOf(['a'])
  const filter = { search: 'a'.repeat(101) }
  await expect(readLogPage(database, streamId, { filter })).rejects.toThrow(
    'Must have at most 100 characters.',
  )
})

test('the lines of a page are counted once, however often it is asked', async () => {
  const streamId = await logOf(['a', 'b'])
  const { totalCount } = await readLogPage(database, streamId, { filter: { search: 'a' } })
  const statements: string[] = []
  const stop = database.onStatement((sql) => statements.push(sql))

  expect(await Promise.all([totalCount(), totalCount(), totalCount()])).toEqual([1, 1, 1])
  stop()
  expect(statements.filter((sql) => sql.includes('COUNT(*)'))).toHaveLength(1)
})
