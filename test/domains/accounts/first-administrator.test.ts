import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startApp } from '../../../src/app.ts'
import { readConfig } from '../../../src/config.ts'
import {
  AccountChangePasswordDocument,
  AccountCreateUserDocument,
  AccountUpdateUserDocument,
} from '../../../src/generated/operations.ts'
import { createClient } from '../../support/client.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trainyard-admin-'))
})
afterEach(() => rm(dataDir, { recursive: true }))

/** Does something with a server on the same data folder. */
async function withServer<T>(
  adminPassword: string | undefined,
  work: (server: { url: string; newPassword: string | null }) => Promise<T>,
): Promise<T> {
  const config = { ...readConfig({ PORT: '0' }), dataDir, adminPassword }
  const server = await startApp(config, pino({ level: 'silent' }), {})
  try {
    return await work(server)
  } finally {
    await server.stop()
  }
}

async function signedIn(url: string, username: string, password: string) {
  const api = createClient(url)
  await api.signIn(username, password)
  return api
}

describe('the first administrator', () => {
  test('has a password that was made up, and must change it before anything else', async () => {
    const changed = await withServer(undefined, async ({ url, newPassword }) => {
      const api = await signedIn(url, 'admin', newPassword ?? '')
      expect(await api.ask('{ projects { totalCount } }')).toMatchObject({
        errors: [{ extensions: { reason: 'PASSWORD_CHANGE_REQUIRED' } }],
      })
      const input = { currentPassword: newPassword ?? '', newPassword: 'of my own' }
      return (await api.send(AccountChangePasswordDocument, { input })).changePassword
    })

    expect(changed).toMatchObject({ mustChangePassword: false })
    await withServer(undefined, async ({ url, newPassword }) => {
      expect(newPassword).toBeNull()
      const api = await signedIn(url, 'admin', 'of my own')
      expect(await api.send('{ projects { totalCount } }')).toEqual({ projects: { totalCount: 0 } })
    })
  })

  test('is not made again when others have taken over', async () => {
    await withServer('correct-horse', async ({ url }) => {
      const admin = await signedIn(url, 'admin', 'correct-horse')
      const input = { username: 'successor', password: 'long enough', role: 'ADMIN' } as const
      await admin.send(AccountCreateUserDocument, { input })
      await admin.send(AccountUpdateUserDocument, { input: { user: 'admin', username: 'first' } })
    })

    await withServer('another-horse', async ({ url }) => {
      await expect(signedIn(url, 'admin', 'another-horse')).rejects.toThrow('Cannot sign in')
      await signedIn(url, 'first', 'correct-horse')
    })
    await withServer(undefined, async ({ newPassword }) => expect(newPassword).toBeNull())
  })

  test('keeps a password of their own while the configured one stays the same', async () => {
    await withServer('correct-horse', async ({ url }) => {
      const admin = await signedIn(url, 'admin', 'correct-horse')
      const input = { currentPassword: 'correct-horse', newPassword: 'of my own' }
      await admin.send(AccountChangePasswordDocument, { input })
    })

    await withServer('correct-horse', ({ url }) => signedIn(url, 'admin', 'of my own'))
    await withServer('another-horse', ({ url }) => signedIn(url, 'admin', 'another-horse'))
  })
})
