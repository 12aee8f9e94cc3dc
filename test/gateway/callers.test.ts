import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Authenticate } from '../../src/domains/accounts/authenticate.ts'
import { UnauthenticatedError } from '../../src/errors.ts'
import { createCallers } from '../../src/gateway/callers.ts'

/** Callers at a clock of the test's own, with what was looked up. */
function givenCallers() {
  const lookedUp: string[] = []
  const clock = { now: 0 }
  const revoked = new Set<string>()
  const authenticate: Authenticate = async (bearer, origin) => {
    lookedUp.push(bearer)
    if (revoked.has(bearer)) throw new UnauthenticatedError('It was revoked.')
    return { kind: 'run', runId: bearer, credential: { kind: 'token', id: bearer }, origin, expiresAt: null }
  }
  const originOf = (req: IncomingMessage) => ({ address: null, userAgent: req.headers['user-agent'] ?? null })
  const callerOf = createCallers(authenticate, originOf, () => clock.now)
  return { callerOf, lookedUp, clock, revoked }
}

function requestWith(authorization: string | undefined, userAgent = 'a'): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.headers = { 'user-agent': userAgent, ...(authorization === undefined ? {} : { authorization }) }
  return req
}

test('a token is looked up once a second, however many requests come with it', async () => {
  const { callerOf, lookedUp, clock } = givenCallers()

  await Promise.all([callerOf(requestWith('Bearer a')), callerOf(requestWith('Bearer a'))])
  await callerOf(requestWith('bearer  b'))
  clock.now = 999
  await callerOf(requestWith('Bearer a'))
  expect(lookedUp).toEqual(['a', 'b'])

  clock.now = 1000
  await callerOf(requestWith('Bearer a'))
  expect(lookedUp).toEqual(['a', 'b', 'a'])
})

test('a token that was revoked works for no longer than that', async () => {
  const { callerOf, clock, revoked } = givenCallers()
  await callerOf(requestWith('Bearer a'))

  revoked.add('a')
  clock.now = 1000

  await expect(callerOf(requestWith('Bearer a'))).rejects.toThrow(UnauthenticatedError)
})

test('that a token does not count is not remembered', async () => {
  const { callerOf, revoked } = givenCallers()
  revoked.add('a')
  await expect(callerOf(requestWith('Bearer a'))).rejects.toThrow(UnauthenticatedError)

  revoked.delete('a')

  expect(await callerOf(requestWith('Bearer a'))).toMatchObject({ runId: 'a' })
})

test('each request has its own origin', async () => {
  const { callerOf } = givenCallers()
  await callerOf(requestWith('Bearer a', 'first'))

  expect(await callerOf(requestWith('Bearer a', 'second'))).toMatchObject({ origin: { userAgent: 'second' } })
})

test.each([undefined, '', 'Basic YTpi', 'Bearer', 'Bearer a b'])('%j is no token', async (authorization) => {
  const { callerOf } = givenCallers()

  await expect(callerOf(requestWith(authorization))).rejects.toMatchObject({ problem: { status: 401 } })
})
