import { afterAll, beforeAll, expect, test } from 'vitest'
import { runAdminCommand } from '../support/admin-command.ts'
import { createClient } from '../support/client.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server.dispose())

const resetPassword = (name: string) =>
  runAdminCommand(['reset-password', name], {
    TRAINYARD_DATA_DIR: server.dataDir,
    TRAINYARD_PUBLIC_URL: server.url,
  })
const setPassword = (token: string, newPassword: string) =>
  createClient(server.url).send<{ resetPassword: { __typename: string } }, object>(
    'mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) { __typename } }',
    { input: { token, newPassword } },
  )

test('while the server runs, the link leads to a page and sets a new password, once', async () => {
  const { exitCode, output, errors } = await resetPassword('admin')
  const link = new URL(output.trimEnd().split('\n').at(-1) ?? '')
  const token = new URLSearchParams(link.hash.slice(1)).get('token') ?? ''

  expect([exitCode, errors]).toEqual([0, ''])
  expect((await fetch(link)).status).toBe(200)
  expect(await setPassword(token, 'quite-another-horse')).toEqual({
    resetPassword: { __typename: 'Session' },
  })
  expect(await setPassword(token, 'a-third-horse')).toEqual({
    resetPassword: { __typename: 'ValidationError' },
  })
  await server.api.signIn('admin', 'quite-another-horse')
  expect(await server.api.send('{ viewer { username } }')).toEqual({ viewer: { username: 'admin' } })
})

test('somebody who does not exist is one line', async () => {
  const { exitCode, output, errors } = await resetPassword('eve')

  expect([exitCode, output]).toEqual([1, ''])
  expect(errors).toMatch(/^There is no \w+ "eve"\.\n$/)
})
