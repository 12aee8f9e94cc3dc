import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/db/database.ts'
import {
  appendLogLines,
  LOG_LEVELS,
  LOG_SOURCES,
  type NewLogLine,
  selectLogLines,
  toLogLine,
} from '../../src/streams/log-lines.ts'

let folder: string
let database: Database
let streamId: number
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
  streamId = (await database.prisma.stream.create({ data: {} })).id
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true, force: true })
})

const append = (lines: NewLogLine[]) =>
  database.transaction((tx) => appendLogLines(database, tx, streamId, lines))
const stored = async () => {
  const rows = await database.sql.readLogLines(database.prisma, selectLogLines(streamId, null), 1000, 'start')
  return rows.map((row) => toLogLine(streamId, row))
}

test('a line of every kind comes back as it was given, in order', async () => {
  const times = [new Date(0), new Date(), new Date(8.64e15), new Date(-8.64e15)]
  const lines = LOG_LEVELS.flatMap((level) =>
    LOG_SOURCES.flatMap((source) =>
      [true, false].flatMap((partial) =>
        times.map((timestamp) => ({ timestamp, level, source, partial, message: `${level} of ${source}` })),
      ),
    ),
  )
  await append(lines)
  expect(await stored()).toEqual(lines.map((line, index) => ({ ...line, streamId, seq: index + 1 })))
})

test('a message is kept to the letter', async () => {
  const messages = [
    '',
    ' ',
    '  indented',
    '0',
    '[1,2]',
    'a "quoted" \\ \t',
    '漢字 😀',
    '\u001b[31mred\ufffd',
    'x'.repeat(100_000),
  ]
  const given = { timestamp: new Date(), level: 'INFO', source: 'STDOUT' } as const
  await append(messages.map((message) => ({ ...given, message })))
  expect((await stored()).map((line) => line.message)).toEqual(messages)
})

test('lines are numbered on from those before them', async () => {
  const line = { timestamp: new Date(), level: 'INFO', source: 'STDOUT', message: 'again' } as const
  await append([line, line])
  await append([line])
  expect((await stored()).map(({ seq }) => seq)).toEqual([1, 2, 3])
})

test('lines of a transaction that fails are not there, nor are their numbers used', async () => {
  const line = { timestamp: new Date(), level: 'INFO', source: 'STDOUT', message: 'lost' } as const
  const failing = database.transaction(async (tx) => {
    await appendLogLines(database, tx, streamId, [line])
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  await append([{ ...line, message: 'kept' }])
  expect((await stored()).map(({ seq, message }) => [seq, message])).toEqual([[1, 'kept']])
})

test('lines cannot be inserted outside a transaction', async () => {
  const row = { timestamp: 0, level: 1, source: 0, partial: 0, message: 'astray' }
  await expect(database.sql.insertLogLines(streamId, 1, [row])).rejects.toThrow('No transaction is open.')
  await append([])
  expect(await stored()).toEqual([])
})
