import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runAdminCommand } from '../support/admin-command.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'

let server: ServerProcess
beforeEach(async () => {
  server = await startServerProcess()
})
afterEach(() => server.dispose())

const rotate = (...options: string[]) =>
  runAdminCommand(['rotate-keys', ...options], { TRAINYARD_DATA_DIR: server.dataDir })
const keyFile = () => readFile(join(server.dataDir, 'secret.key'), 'utf8')
const whoAmI = () => server.api.ask('{ viewer { username } }')

const ADMIN = { data: { viewer: { username: 'admin' } } }

test('while the server runs it says so in one line, and changes nothing', async () => {
  const key = await keyFile()

  const { exitCode, output, errors } = await rotate()

  expect([exitCode, output]).toEqual([1, ''])
  expect(errors).toBe(`A Trainyard server is using the data folder ${server.dataDir}: stop it first.\n`)
  expect(await keyFile()).toBe(key)
  expect(await whoAmI()).toMatchObject(ADMIN)
})

describe('once the server is stopped', () => {
  beforeEach(() => server.kill('SIGTERM'))

  test('the key is new, and whoever was signed in still is', async () => {
    const key = await keyFile()

    const { exitCode, output, errors } = await rotate()

    expect([exitCode, errors]).toEqual([0, ''])
    expect(output).toMatch(/^2 secrets are sealed with the new key [0-9a-f]{8}\.\nStart the server/)
    expect(await keyFile()).not.toBe(key)
    expect(output).not.toContain((await keyFile()).trim())
    await server.start()
    expect(await whoAmI()).toMatchObject(ADMIN)
  })

  test('it is in the audit trail', async () => {
    await rotate()
    await server.start()
    const { auditEvents } = await server.api.send<{ auditEvents: object }, object>(
      '{ auditEvents(filter: { action: [KEYS_ROTATED] }) { edges { node { actorKind details } } } }',
    )

    expect(auditEvents).toMatchObject({
      edges: [{ node: { actorKind: 'OPERATOR', details: { signing: false } } }],
    })
  })

  test('with --signing everybody is signed out, which it says, and may sign in again', async () => {
    const { exitCode, output } = await rotate('--signing')

    expect(exitCode).toBe(0)
    expect(output).toContain('everybody is signed out, and download links are void')
    await server.start()
    expect(await whoAmI()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
    await server.api.signIn('admin', 'correct-horse')
    expect(await whoAmI()).toMatchObject(ADMIN)
    await seed(server.api).project({ name: 'after' })
  })

  test('a key file that others can read is one line', async () => {
    await chmod(join(server.dataDir, 'secret.key'), 0o644)

    const { exitCode, errors } = await rotate()
    await chmod(join(server.dataDir, 'secret.key'), 0o600)

    expect(exitCode).toBe(1)
    expect(errors).toMatch(/^The key file \S+ is open to other users \(mode 644\): [^\n]*\n$/)
  })
})
