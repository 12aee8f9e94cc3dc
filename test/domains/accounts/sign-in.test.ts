import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CatalogCreateApiTokenDocument,
  CatalogViewerDocument,
  LoginDocument,
} from '../../../src/generated/operations.ts'
import { toSchema } from '../../../src/graphql/index.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import { type ApiClient, createClient } from '../../support/client.ts'
import { type MinimalOperation, operationsFor } from '../../support/operation-for.ts'
import { until } from '../../support/until.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

/** A client with other credentials than the administrator's. */
function as(token: string | null): ApiClient {
  const client = createClient(app.url)
  client.useToken(token)
  return client
}

const loginAs = async (username: string, password: string) =>
  (await as(null).send(LoginDocument, { input: { username, password } })).login

async function newToken(input: { name: string; expiresAt?: string }): Promise<string> {
  const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, { input })
  if (createApiToken.__typename !== 'ApiToken') throw new Error(JSON.stringify(createApiToken))
  return createApiToken.token ?? ''
}

const UNAUTHENTICATED = { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] }

describe('a password', () => {
  test('gives a session that says who one is and until when', async () => {
    const session = await loginAs('admin', PASSWORD)
    if (session.__typename !== 'Session') throw new Error(JSON.stringify(session))

    expect(session.user.username).toBe('admin')
    const minutes = (Date.parse(session.expiresAt) - Date.now()) / 60_000
    expect(minutes).toBeGreaterThan(app.config.sessionMinutes - 1)
    expect(minutes).toBeLessThanOrEqual(app.config.sessionMinutes)
    const { viewer } = await as(session.accessToken).send(CatalogViewerDocument)
    expect(viewer).toMatchObject({ username: 'admin', role: 'ADMIN' })
    expect(Date.parse(viewer?.lastLoginAt ?? '')).toBeGreaterThan(Date.now() - 60_000)
  })

  test('that is wrong is refused in the same words as a name that nobody has', async () => {
    const wrongPassword = await loginAs('admin', 'not the password')
    const wrongName = await loginAs('nobody', PASSWORD)

    expect(wrongPassword).toMatchObject({ __typename: 'ValidationError', code: 'VALIDATION_FAILED' })
    expect(wrongName).toEqual(wrongPassword)
  })

  test.each(['', 'x'.repeat(2000), "' OR 1=1 --", '\0'])('%j is refused', async (password) => {
    expect(await loginAs('admin', password)).toMatchObject({ code: 'VALIDATION_FAILED' })
  })
})

describe('without a token', () => {
  const operations = operationsFor(toSchema())
  const open = ['login', 'logout', 'register', 'requestPasswordReset', 'resetPassword', 'serverInfo']
  const isOpen = ({ field }: MinimalOperation) => open.includes(field)

  const ask = (operation: MinimalOperation) =>
    as(null).upload(
      operation.text,
      operation.variables,
      Object.fromEntries(operation.files.map((path) => [path, new File(['text'], 'a.txt')])),
    )

  test.each(operations.filter(({ kind }) => kind !== 'subscription').filter(isOpen))(
    '$kind $field is answered',
    async (operation) => {
      expect(await ask(operation)).toHaveProperty(`data.${operation.field}`)
    },
  )

  test.each(
    operations.filter(({ kind }) => kind !== 'subscription').filter((operation) => !isOpen(operation)),
  )('$kind $field is refused', async (operation) => {
    const answer = await ask(operation)

    expect(answer).toMatchObject(UNAUTHENTICATED)
    expect(answer.data?.[operation.field as never] ?? null).toBeNull()
  })

  test.each(operations.filter(({ kind }) => kind === 'subscription'))(
    '$kind $field is refused',
    async (operation) => {
      const client = as(null)
      const watching = client.watch(operation.text, operation.variables).next()

      await expect(watching).rejects.toThrow('UNAUTHENTICATED')
      await client.close()
    },
  )
})

describe('a token that does not count', () => {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

  const sessionToken = async () => {
    const session = await loginAs('admin', PASSWORD)
    return session.__typename === 'Session' ? session.accessToken : ''
  }

  test.each<[string, () => Promise<string>]>([
    ['garbage', async () => 'garbage'],
    ['an API token that nobody made', async () => `ty_${'A'.repeat(43)}`],
    [
      'a session without a signature',
      async () => {
        const [, payload] = (await sessionToken()).split('.')
        return `${encode({ alg: 'none' })}.${payload}.`
      },
    ],
    [
      'a session of somebody else',
      async () => {
        const [header, payload, signature] = (await sessionToken()).split('.')
        const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString())
        return `${header}.${encode({ ...claims, sub: 'usr_other' })}.${signature}`
      },
    ],
    [
      'a session that was signed with another key',
      async () => {
        const other = await startTestApp()
        const { login } = await createClient(other.url).send(LoginDocument, {
          input: { username: 'admin', password: PASSWORD },
        })
        await other.stop()
        return login.__typename === 'Session' ? login.accessToken : ''
      },
    ],
  ])('%s', async (_what, token) => {
    expect(await as(await token()).ask(CatalogViewerDocument)).toMatchObject(UNAUTHENTICATED)
  })

  test('a session that has expired', async () => {
    const short = await startTestApp({ sessionMinutes: 0 })
    const answer = await short.api.ask(CatalogViewerDocument)
    await short.stop()

    expect(answer).toMatchObject(UNAUTHENTICATED)
  })

  test('keeps nobody from what needs none, such as to sign in again', async () => {
    expect(await as('garbage').ask('{ serverInfo { version } }')).not.toHaveProperty('errors')
    expect(
      await as('garbage').send(LoginDocument, { input: { username: 'admin', password: PASSWORD } }),
    ).toMatchObject({
      login: { __typename: 'Session' },
    })
  })
})

describe('an API token', () => {
  test('stands for the person who made it', async () => {
    const script = as(await newToken({ name: 'nightly' }))

    expect(await script.send(CatalogViewerDocument)).toMatchObject({ viewer: { username: 'admin' } })
    expect(
      await script.send('mutation { createProject(input: { name: "by script" }) { __typename } }'),
    ).toEqual({
      createProject: { __typename: 'Project' },
    })
  })

  test('is nowhere in the data folder', async () => {
    const token = await newToken({ name: 'secret' })
    await as(token).send(CatalogViewerDocument)

    const files = readdirSync(app.dataDir, { recursive: true, withFileTypes: true }).filter((file) =>
      file.isFile(),
    )
    const holding = (text: string) =>
      files
        .filter((file) => readFileSync(join(file.parentPath, file.name)).includes(text))
        .map(({ name }) => name)

    expect(holding('nightly')).not.toEqual([]) // the names of tokens are found this way
    expect(holding(token)).toEqual([])
    expect(holding(token.slice(3))).toEqual([])
    expect(holding(PASSWORD)).toEqual([])
  })

  test('cannot be made for the past', async () => {
    const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, {
      input: { name: 'late', expiresAt: '2020-01-01T00:00:00.000Z' },
    })

    expect(createApiToken).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['expiresAt'], message: 'Must lie in the future.' }],
    })
  })

  test('must have a name', async () => {
    const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, { input: { name: ' ' } })

    expect(createApiToken).toMatchObject({ __typename: 'ValidationError', issues: [{ path: ['name'] }] })
  })

  test('stops working when its time is over', async () => {
    const script = as(await newToken({ name: 'brief', expiresAt: new Date(Date.now() + 1500).toISOString() }))
    expect(await script.ask(CatalogViewerDocument)).toMatchObject({ data: { viewer: { username: 'admin' } } })

    const answer = await until('token to expire', async () => {
      const latest = await script.ask(CatalogViewerDocument)
      return latest.errors && latest
    })

    expect(answer).toMatchObject(UNAUTHENTICATED)
  })

  test('goes on over a restart', async () => {
    const token = await newToken({ name: 'lasting' })
    await app.restart()

    expect(await as(token).ask(CatalogViewerDocument)).toMatchObject({
      data: { viewer: { username: 'admin' } },
    })
    expect(await app.api.ask(CatalogViewerDocument)).toMatchObject({
      data: { viewer: { username: 'admin' } },
    })
  })
})
