import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runAdminCommand } from '../support/admin-command.ts'

test.each([[], ['--help'], ['-h'], ['help']])('%s explains every command', async (...args) => {
  const { exitCode, output, errors } = await runAdminCommand(args, { PORT: 'a wrong setting' })

  expect([exitCode, errors]).toEqual([0, ''])
  for (const usage of ['npm run admin -- COMMAND', 'rotate-keys [--signing]']) expect(output).toContain(usage)
})

test('a command explains itself', async () => {
  const { exitCode, output } = await runAdminCommand(['rotate-keys', '--help'], {})

  expect(exitCode).toBe(0)
  expect(output).toContain('everybody is signed out')
})

test.each([
  [['rotate'], /^There is no command "rotate", only: .*rotate-keys/],
  [['constructor'], /^There is no command "constructor"/],
  [['rotate-keys', '--all'], /^Unknown option '--all'\. Call it like this: npm run admin -- rotate-keys/],
  [['rotate-keys', 'now'], /^Call it like this: npm run admin -- rotate-keys \[--signing\]/],
])('%j is one line and exit code 1', async (args, reason) => {
  const { exitCode, output, errors } = await runAdminCommand(args, {})

  expect([exitCode, output]).toEqual([1, ''])
  expect(errors).toMatch(reason)
  expect(errors.trimEnd().split('\n')).toHaveLength(1)
})

test('a setting that is wrong is one line', async () => {
  const { exitCode, errors } = await runAdminCommand(['rotate-keys'], { PORT: 'abc' })

  expect(exitCode).toBe(1)
  expect(errors).toBe('Wrong setting: PORT: must be a number\n')
})

test('a folder without data is one line, and stays as it is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  const dataDir = join(folder, 'data')
  const { exitCode, errors } = await runAdminCommand(['rotate-keys'], { TRAINYARD_DATA_DIR: dataDir })
  await rm(folder, { recursive: true })

  expect(exitCode).toBe(1)
  expect(errors).toBe(
    `There is no Trainyard data in ${dataDir}: TRAINYARD_DATA_DIR says where to look for it.\n`,
  )
})
