import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AuditNodeDocument,
  AuditTrailDocument,
  type AuditTrailQuery,
  type AuditTrailQueryVariables,
  CatalogCreateApiTokenDocument,
  CatalogProjectDocument,
} from '../../../src/generated/operations.ts'
import { newId } from '../../../src/ids.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { type ApiClient, createClient } from '../../support/client.ts'
import { seed } from '../../support/seed.ts'
import { storeEvents } from '../../support/stored-events.ts'

type Event = AuditTrailQuery['auditEvents']['edges'][number]['node']

let app: TestApp
let adminId: string
/** Speaks for the administrator with a token that may do everything but administer. */
let script: ApiClient

beforeAll(async () => {
  app = await startTestApp()
  const { viewer } = await app.api.send<{ viewer: { id: string } }, object>('{ viewer { id } }')
  adminId = viewer.id
  script = createClient(app.url)
  script.useToken(await newToken('script'))
})
afterAll(() => app.stop())

async function newToken(name: string): Promise<string> {
  const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, { input: { name } })
  if (createApiToken.__typename !== 'ApiToken') throw new Error(JSON.stringify(createApiToken))
  return createApiToken.token ?? ''
}

async function events(variables: AuditTrailQueryVariables = {}): Promise<Event[]> {
  const { auditEvents } = await app.api.send(AuditTrailDocument, variables)
  return auditEvents.edges.map((edge) => edge.node)
}

const FORBIDDEN = { errors: [{ extensions: { code: 'FORBIDDEN' } }] }

describe('an event', () => {
  test('says who did what to which object, when, from where and with what', async () => {
    const before = Date.now()
    await newToken('nightly')

    const [event] = await events({ filter: { action: ['API_TOKEN_CREATED'] }, first: 1 })

    expect(event).toMatchObject({
      id: expect.stringMatching(/^aud_/),
      action: 'API_TOKEN_CREATED',
      actorKind: 'USER',
      actorId: adminId,
      actorName: 'admin',
      actor: { id: adminId, username: 'admin' },
      sessionId: expect.stringMatching(/^ses_/),
      tokenId: null,
      targetKind: 'ApiToken',
      targetId: expect.stringMatching(/^tok_/),
      targetName: 'nightly',
      ipAddress: expect.stringContaining('127.0.0.1'),
      userAgent: expect.any(String),
      details: { scopes: ['RUN'] },
    })
    expect(Date.parse(event?.at ?? '')).toBeGreaterThanOrEqual(before)
  })

  test('of a sign-in names who signed in', async () => {
    const [signedIn] = await events({ filter: { action: ['SIGNED_IN'] }, first: 1 })

    expect(signedIn).toMatchObject({ actorKind: 'USER', actorId: adminId, targetId: adminId })
    expect(signedIn?.sessionId).toMatch(/^ses_/)
  })

  test('of a sign-in that was refused has no actor', async () => {
    await createClient(app.url)
      .signIn('admin', 'not the password')
      .catch(() => undefined)

    const [refused] = await events({ filter: { action: ['SIGN_IN_REFUSED'] }, first: 1 })

    expect(refused).toMatchObject({ actorKind: 'ANONYMOUS', actor: null, targetId: adminId })
  })

  test('keeps the name that its target had, and shows the target as it is now', async () => {
    const name = await seed(app.api).project()
    const { project } = await app.api.send(CatalogProjectDocument, { ref: name })
    const target = { targetKind: 'Project', targetId: project?.id ?? '' }
    await storeEvents(app.dataDir, [{ ...target, targetName: 'as it was called' }])

    const [event] = await events({ filter: { target: target.targetId, search: 'as it was' } })

    expect(event).toMatchObject({
      targetName: 'as it was called',
      target: { __typename: 'Project', id: target.targetId, name },
    })
  })

  test('outlives its target, its actor and its token', async () => {
    const gone = {
      actorKind: 'USER',
      actorId: newId('User'),
      actorName: 'somebody',
      tokenId: newId('ApiToken'),
      targetKind: 'Run',
      targetId: newId('Run'),
      targetName: 'run-001',
    }
    const made = {
      action: 'API_TOKEN_CREATED',
      targetKind: 'ApiToken',
      targetId: gone.tokenId,
      targetName: 'old',
    }
    await storeEvents(app.dataDir, [made, gone])

    const [event] = await events({ filter: { target: gone.targetId } })

    expect(event).toMatchObject({ actor: null, actorName: 'somebody', target: null, targetName: 'run-001' })
    expect(event?.tokenName).toBe('old')
  })

  test('is a node', async () => {
    const [event] = await events({ first: 1 })

    const { node } = await app.api.send(AuditNodeDocument, { id: event?.id ?? '' })

    expect(node).toEqual({ __typename: 'AuditEvent', action: event?.action })
  })
})

describe('the list', () => {
  const person = newId('User')
  const run = newId('Run')
  const at = (day: number) => new Date(Date.UTC(2001, 0, day))
  const place = '192.0.2.7'
  beforeAll(() =>
    storeEvents(app.dataDir, [
      {
        createdAt: at(1),
        address: place,
        actorKind: 'USER',
        actorId: person,
        actorName: 'ada',
        action: 'RUN_STARTED',
      },
      { createdAt: at(2), address: place, actorKind: 'RUN', actorId: run, action: 'ARTIFACT_REGISTERED' },
      { createdAt: at(3), address: place, targetName: '100% wool', action: 'PROJECT_DELETED' },
      { createdAt: at(4), address: place, userAgent: 'curl/8', action: 'SIGN_IN_REFUSED' },
    ]),
  )

  test.each<[string, AuditTrailQueryVariables['filter'], string[]]>([
    ['an address', {}, ['SIGN_IN_REFUSED', 'PROJECT_DELETED', 'ARTIFACT_REGISTERED', 'RUN_STARTED']],
    ['actions', { action: ['RUN_STARTED', 'PROJECT_DELETED'] }, ['PROJECT_DELETED', 'RUN_STARTED']],
    ['no action', { action: [] }, []],
    ['a person by id', { actor: person }, ['RUN_STARTED']],
    ['a person by the name they had', { actor: 'Ada' }, ['RUN_STARTED']],
    ['a run', { actor: run }, ['ARTIFACT_REGISTERED']],
    ['a time and later', { since: at(3).toISOString() }, ['SIGN_IN_REFUSED', 'PROJECT_DELETED']],
    ['up to a time', { until: at(2).toISOString() }, ['ARTIFACT_REGISTERED', 'RUN_STARTED']],
    ['text of a name', { search: '100%' }, ['PROJECT_DELETED']],
    ['text of a user agent', { search: 'curl' }, ['SIGN_IN_REFUSED']],
  ])('is narrowed by %s', async (_what, filter, actions) => {
    const found = await events({ filter: { ...filter, address: place } })

    expect(found.map((event) => event.action)).toEqual(actions)
  })

  test('has the latest first, in pages', async () => {
    const filter = { address: place }
    const first = await app.api.send(AuditTrailDocument, { filter, first: 3 })
    const second = await app.api.send(AuditTrailDocument, {
      filter,
      first: 3,
      after: first.auditEvents.pageInfo.endCursor,
    })

    expect(first.auditEvents).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: true } })
    expect(second.auditEvents.edges.map(({ node }) => node.action)).toEqual(['RUN_STARTED'])
  })

  test('takes a fixed number of statements, however many events there are', async () => {
    const statementsFor = async (first: number) => {
      const statements: string[] = []
      const stop = app.onStatement((sql) => statements.push(sql))
      await events({ first })
      stop()
      return statements.length
    }
    for (const name of ['a', 'b', 'c', 'd']) await newToken(name)

    expect(await statementsFor(8)).toBeLessThanOrEqual((await statementsFor(2)) + 4)
  })
})

describe('the trail', () => {
  test.each<[string, () => ApiClient]>([
    ['nobody', () => createClient(app.url)],
    ["an administrator's token without the scope", () => script],
  ])('is closed to %s', async (_who, client) => {
    const [event] = await events({ first: 1 })

    const list = await client().ask(AuditTrailDocument)
    const node = await client().ask(AuditNodeDocument, { id: event?.id ?? '' })

    expect(list.errors?.[0]?.extensions?.code).toMatch(/^(FORBIDDEN|UNAUTHENTICATED)$/)
    expect(node.data?.node ?? null).toBeNull()
  })

  test('has no events, not even unknown ones, for a token without the scope', async () => {
    const [event] = await events({ first: 1 })

    const existing = await script.ask(AuditNodeDocument, { id: event?.id ?? '' })
    const unknown = await script.ask(AuditNodeDocument, { id: newId('AuditEvent') })

    expect(existing.data).toEqual({ node: null })
    expect([existing.data, existing.errors]).toEqual([unknown.data, unknown.errors])
    expect(await script.ask('{ auditEvents { totalCount } }')).toMatchObject(FORBIDDEN)
  })
})
