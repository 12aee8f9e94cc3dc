import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSessionTokens } from '../../../src/domains/accounts/session-tokens.ts'
import { PASSWORD, startTestApp, type TestApp } from '../../support/app.ts'
import { accessTokenOf, as, refused, whoIs } from '../../support/people.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** The claims of a good token, to be signed by somebody else. */
async function claimsOfAdmin(): Promise<JWTPayload> {
  const [, payload = ''] = (await accessTokenOf(app, 'admin', PASSWORD)).split('.')
  return JSON.parse(Buffer.from(payload, 'base64url').toString())
}

/** A token that says what a good one says, under another header. */
async function forged(header: object, signed: (text: string) => string): Promise<string> {
  const text = `${encode(header)}.${encode(await claimsOfAdmin())}`
  return `${text}.${signed(text)}`
}

const hmac = (key: string | Buffer) => (text: string) =>
  createHmac('sha256', key).update(text).digest('base64url')

const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PUBLIC_PEM = createPublicKey(RSA.privateKey).export({ type: 'spki', format: 'pem' })

const signature = async () => (await accessTokenOf(app, 'admin', PASSWORD)).split('.')[2] ?? ''

describe.each<[string, () => Promise<string>]>([
  ['no algorithm', () => forged({ alg: 'none' }, () => '')],
  ['no algorithm, in other letters', () => forged({ alg: 'NonE' }, () => '')],
  [
    'no algorithm but a signature',
    async () => {
      const other = await signature()
      return forged({ alg: 'none' }, () => other)
    },
  ],
  ['another key', () => forged({ alg: 'HS256' }, hmac(Buffer.alloc(32, 7)))],
  ['an empty key', () => forged({ alg: 'HS256' }, hmac(''))],
  [
    'RS256 with a key that it brings along',
    () =>
      forged({ alg: 'RS256', jwk: RSA.publicKey.export({ format: 'jwk' }) }, (text) =>
        sign('sha256', Buffer.from(text), RSA.privateKey).toString('base64url'),
      ),
  ],
  ['a public key taken for a secret', () => forged({ alg: 'HS256' }, hmac(PUBLIC_PEM.toString()))],
  ['a key file that has no content', () => forged({ alg: 'HS256', kid: '../../../../dev/null' }, hmac(''))],
  [
    'a key from a database of its own',
    () => forged({ alg: 'HS256', kid: "x' UNION SELECT 'secret" }, hmac('secret')),
  ],
  ['a key from elsewhere', () => forged({ alg: 'HS256', jku: 'http://127.0.0.1:1/keys' }, hmac('secret'))],
  ['a header that must be understood', () => forged({ alg: 'HS256', crit: ['b64'], b64: false }, hmac('x'))],
])('a token with %s', (_what, token) => {
  test('is refused over HTTP', async () => {
    expect(await as(app, await token()).ask('{ viewer { username } }')).toMatchObject(
      refused('UNAUTHENTICATED'),
    )
  })

  test('is refused on a socket', async () => {
    const client = as(app, await token())

    await expect(client.watch('subscription { runUpdated { id } }').next()).rejects.toMatchObject({
      codes: ['UNAUTHENTICATED'],
    })
    await client.close()
  })
})

test('the token that these are made from is good', async () => {
  expect(await whoIs(as(app, await accessTokenOf(app, 'admin', PASSWORD)))).toBe('admin')
})

describe('with the right key', () => {
  const KEY = new Uint8Array(32).fill(1)
  const NOW = new Date('2026-01-31T12:00:00.000Z')
  const tokens = createSessionTokens(KEY, () => NOW)
  const seconds = NOW.getTime() / 1000
  const GOOD = { iss: 'trainyard', aud: 'trainyard', sub: 'usr_1', sid: 'ses_1', exp: seconds + 60 }

  const read = async (claims: JWTPayload, alg = 'HS256') =>
    tokens.read('access', await new SignJWT(claims).setProtectedHeader({ alg }).sign(KEY))

  test('a token is good', async () => {
    expect(await read(GOOD)).toMatchObject({ userId: 'usr_1', sessionId: 'ses_1' })
  })

  test.each<[string, JWTPayload, string?]>([
    ['by another issuer', { ...GOOD, iss: 'elsewhere' }],
    ['by no issuer', { ...GOOD, iss: undefined }],
    ['for another audience', { ...GOOD, aud: 'another service' }],
    ['for refreshing', { ...GOOD, aud: 'trainyard refresh' }],
    ['for no audience', { ...GOOD, aud: undefined }],
    ['that has expired', { ...GOOD, exp: seconds - 1 }],
    ['that never expires', { ...GOOD, exp: undefined }],
    ['that is not good yet', { ...GOOD, nbf: seconds + 60 }],
    ['of nobody', { ...GOOD, sub: undefined }],
    ['of no session', { ...GOOD, sid: undefined }],
    ['with another algorithm', GOOD, 'HS512'],
  ])('a token %s is refused', async (_what, claims, alg) => {
    await expect(read(claims, alg)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })
})
