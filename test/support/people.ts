import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { openDatabase } from '../../src/db/database.ts'
import { hashPassword } from '../../src/domains/accounts/passwords.ts'
import type { Role } from '../../src/domains/accounts/principal.ts'
import { newId } from '../../src/ids.ts'
import type { TestApp } from './app.ts'
import { type ApiClient, createClient } from './client.ts'

/** Somebody with an account on a test's server, signed in. */
export interface Person {
  /** Speaks for them. */
  api: ApiClient
  id: string
  username: string
  password: string
}

/** Makes an account on a test's server and signs in with it. */
export async function givenPerson(
  app: Pick<TestApp, 'url' | 'dataDir'>,
  role: Role = 'MEMBER',
  username = `person-${randomUUID().slice(0, 8)}`,
): Promise<Person> {
  const id = newId('User')
  const password = 'a password of theirs'
  const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
  try {
    const passwordHash = await hashPassword(password)
    await database.transaction((tx) =>
      tx.user.create({
        data: { id, username, role, passwordHash, preferences: {}, createdAt: new Date() },
      }),
    )
  } finally {
    await database.close()
  }
  const api = createClient(app.url)
  await api.signIn(username, password)
  return { api, id, username, password }
}
