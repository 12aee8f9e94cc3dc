import { afterEach, describe, expect, test } from 'vitest'
import type { RunPrincipal } from '../../src/domains/accounts/principal.ts'
import { createRateLimits } from '../../src/server/rate-limits.ts'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket, openRawSocket } from '../support/raw-socket.ts'

const started: TestApp[] = []
afterEach(async () => {
  for (const app of started.splice(0)) await app.stop()
})

async function start(settings: Parameters<typeof startTestApp>[0]): Promise<TestApp> {
  const app = await startTestApp(settings)
  started.push(app)
  return app
}

async function ask(app: TestApp, query: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

const RUNS = '{ runs(first: 100) { totalCount edges { node { id } } } }' // costs 101
const VIEWER = '{ viewer { id } }' // costs 1

describe('a user', () => {
  test('is told what an operation cost and what is left', async () => {
    const app = await start({})
    const token = await accessTokenOf(app.url)

    const { headers, body } = await ask(app, RUNS, { Authorization: `Bearer ${token}` })

    expect(body.extensions.cost).toEqual({
      requestedQueryCost: 101,
      maximumQueryCost: 20_000,
      throttleStatus: { maximumAvailable: 100_000, currentlyAvailable: 99_899, restoreRate: 10_000 },
    })
    expect(headers.get('ratelimit-limit')).toBe('100000')
    expect(headers.get('ratelimit-remaining')).toBe('99899')
    expect(Number(headers.get('ratelimit-reset'))).toBeGreaterThan(0)
    expect(headers.get('retry-after')).toBeNull()
  })

  test('who has asked for too much is told when to come back, and may still ask for little', async () => {
    const app = await start({ rateLimitPoints: 250 })
    const credentials = { Authorization: `Bearer ${await accessTokenOf(app.url)}` }
    await ask(app, RUNS, credentials)
    await ask(app, RUNS, credentials)

    const refused = await ask(app, RUNS, credentials)
    const small = await ask(app, VIEWER, credentials)

    expect(refused.status).toBe(429)
    expect(refused.body.errors).toMatchObject([
      { extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } },
    ])
    expect(refused.body.errors[0].extensions).not.toHaveProperty('http')
    expect(refused.headers.get('retry-after')).toBe(refused.headers.get('ratelimit-reset'))
    expect(small).toMatchObject({ status: 200, body: { data: { viewer: expect.anything() } } })
  })

  test('is counted on sockets as well, and over both together', async () => {
    const app = await start({ rateLimitPoints: 250 })
    const token = await accessTokenOf(app.url)
    await ask(app, RUNS, { Authorization: `Bearer ${token}` })
    const socket = await connectRawSocket(app.url, token)
    const query = (id: string) => {
      socket.send({ type: 'subscribe', id, payload: { query: RUNS } })
      return socket.next('next', 'error')
    }

    expect((await query('1')).payload).toMatchObject({ extensions: { cost: { requestedQueryCost: 101 } } })
    expect((await query('2')).payload).toMatchObject({
      errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } }],
    })
    socket.close()
  })

  test('pays for a large body by its size', async () => {
    const app = await start({ rateLimitPoints: 1000 })
    const credentials = { Authorization: `Bearer ${await accessTokenOf(app.url)}` }

    const paid = await ask(app, `{ __typename } #${'x'.repeat(30)}`, credentials)
    const large = await ask(app, `{ __typename } #${'x'.repeat(700_000)}`, credentials)
    const refused = await ask(app, `{ __typename } #${'x'.repeat(700_000)}`, credentials)

    expect(paid.headers.get('ratelimit-remaining')).toBe('999')
    expect(large.body.errors).toMatchObject([{ extensions: { code: 'DOCUMENT_TOO_COMPLEX' } }])
    expect(refused.status).toBe(429)
    expect(refused.body.errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }])
  })

  test('is not limited where the limit is off', async () => {
    const app = await start({ rateLimitPoints: 0, rateLimitAnonymousRequests: 0 })
    const { headers, body } = await ask(app, RUNS, {
      Authorization: `Bearer ${await accessTokenOf(app.url)}`,
    })

    expect(body.extensions.cost.throttleStatus).toBeNull()
    expect(headers.get('ratelimit-limit')).toBeNull()
  })
})

describe('an address', () => {
  test('may send so many requests without credentials, or with wrong ones', async () => {
    const app = await start({ rateLimitAnonymousRequests: 10 })
    const credentials = { Authorization: `Bearer ${await accessTokenOf(app.url)}` }
    const statuses = []
    for (let n = 0; n < 10; n++) {
      const wrong = { Authorization: `Bearer wrong-${n}` }
      statuses.push((await ask(app, '{ __typename }', n % 2 === 0 ? {} : wrong)).status)
    }
    const page = await fetch(`${app.url}/graphql`, { headers: { Accept: 'text/html' } })
    const signedIn = await ask(app, VIEWER, credentials)

    expect(statuses.slice(0, 5)).not.toContain(429)
    expect(statuses.at(-1)).toBe(429)
    expect(page.status).toBe(429)
    expect(signedIn.status).toBe(200)
  })

  test('cannot get around it with documents that are not performed', async () => {
    const app = await start({ rateLimitAnonymousRequests: 5 })
    for (let n = 0; n < 5; n++) await ask(app, '{ oops')

    expect((await ask(app, '{ oops')).status).toBe(429)
  })

  test('cannot get around it with sockets', async () => {
    const app = await start({ rateLimitAnonymousRequests: 8 })
    const socket = await connectRawSocket(app.url, null)
    const codes = []
    for (let n = 0; n < 10; n++) {
      socket.send({ type: 'subscribe', id: String(n), payload: { query: '{ __typename }' } })
      const { payload } = await socket.next('next', 'error')
      codes.push(Object(payload)[0]?.extensions.code)
    }
    const another = await openRawSocket(app.url)
    another.send({ type: 'connection_init' })

    expect(codes[0]).toBeUndefined()
    expect(codes.at(-1)).toBe('RATE_LIMITED')
    expect(await another.closed).toBe(1013)
    socket.close()
  })
})

test('an operation that is too much takes nothing off', async () => {
  const limits = createRateLimits({ points: 100, anonymousRequests: 10 })
  const run: RunPrincipal = {
    kind: 'run',
    runId: 'run_a',
    credential: { kind: 'token', id: 'tok_a' },
    origin: { address: null, userAgent: null },
    expiresAt: null,
  }

  expect(await limits.spend(run, 61)).toMatchObject({ remaining: 40, isExceeded: false })
  expect(await limits.spend(run, 51)).toMatchObject({ remaining: 40, isExceeded: true })
  expect(await limits.spend(run, 41)).toMatchObject({ remaining: 0, isExceeded: false })
  expect(await limits.countRequest({ principal: run, address: '::1' })).toMatchObject({ isExceeded: true })
  expect(await limits.spend({ ...run, runId: 'run_b' }, 61)).toMatchObject({ remaining: 40 })
})

test('all addresses that one client is given in IPv6 are counted together', async () => {
  const limits = createRateLimits({ points: 100, anonymousRequests: 2 })
  const count = async (address: string) =>
    (await limits.countRequest({ principal: null, address }))?.isExceeded

  expect(await count('2001:db8:1:2::a')).toBe(false)
  expect(await count('2001:db8:1:2:3::b')).toBe(false)
  expect(await count('2001:db8:1:2:ffff::')).toBe(true)
  expect(await count('2001:db8:1:3::a')).toBe(false)
  expect(await count('192.0.2.1')).toBe(false)
  expect(await count('::ffff:192.0.2.1')).toBe(false)
  expect(await count('192.0.2.1')).toBe(true)
})
