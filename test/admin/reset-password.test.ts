import { afterAll, beforeAll, expect, test } from 'vitest'
import { resetPasswordCommand } from '../../src/admin/reset-password.ts'
import { readConfig } from '../../src/config.ts'
import { NotFoundError } from '../../src/errors.ts'
import { createTestDataFolder, type TestDataFolder } from '../secrets/support/data-folder.ts'

let folder: TestDataFolder
beforeAll(async () => {
  folder = await createTestDataFolder()
  await folder.open()
})
afterAll(() => folder.remove())

const expiresAt = new Date('2026-01-31T09:30:12.345Z')
const command = resetPasswordCommand(async (database, name) => {
  if ((await database.prisma.user.count()) > 0 || name !== 'ada') throw new NotFoundError('user', name)
  return { secret: 'typ_secret', expiresAt, username: name }
})
const run = (name: string, settings: Record<string, string> = {}) =>
  command.run({
    config: readConfig({ TRAINYARD_DATA_DIR: folder.path, ...settings }),
    options: {},
    arguments: [name],
  })

test('prints a link to where the server is reached, alone on a line, and how long it works', async () => {
  expect(await run('ada', { TRAINYARD_PUBLIC_URL: 'https://trainyard.example.org' })).toEqual([
    'With this link ada chooses a new password. It works once, until 2026-01-31 09:30 UTC:',
    'https://trainyard.example.org/account/reset-password#token=typ_secret',
  ])
})

test('takes the address that the server listens on when it has no other', async () => {
  const lines = await run('ada', { HOST: '0.0.0.0', PORT: '4321' })

  expect(lines.at(-1)).toBe('http://127.0.0.1:4321/account/reset-password#token=typ_secret')
})

test('makes no link when it cannot know where to', async () => {
  await expect(run('ada', { PORT: '0' })).rejects.toThrow('set TRAINYARD_PUBLIC_URL')
})

test('says that there is nobody of that name', async () => {
  await expect(run('eve')).rejects.toThrow('There is no user "eve".')
})
