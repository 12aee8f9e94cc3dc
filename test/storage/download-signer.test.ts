import { beforeEach, describe, expect, test } from 'vitest'
import { createDownloadSigner } from '../../src/storage/download-signer.ts'

const SECRET = 'a secret of more than sixteen bytes'
let now: number
const signer = createDownloadSigner({ secret: SECRET, ttlSeconds: 60, now: () => now })

beforeEach(() => {
  now = Date.parse('2026-01-01T00:00:00.500Z')
})

test('a link is verified with its path, claims and expiry', () => {
  const link = signer.sign('/files/file_1', { user: 'user_1', name: 'a&b=c d/ü' })

  expect(link).toMatch(/^\/files\/file_1\?user=user_1&.*expires=1767225660&signature=[\w-]{43}$/)
  expect(signer.verify(link)).toEqual({
    ok: true,
    path: '/files/file_1',
    claims: { user: 'user_1', name: 'a&b=c d/ü' },
    expiresAt: new Date('2026-01-01T00:01:00.000Z'),
  })
})

test('a link expires after its time', () => {
  const link = signer.sign('/files/file_1')
  now = Date.parse('2026-01-01T00:00:59.999Z')
  expect(signer.verify(link)).toMatchObject({ ok: true })
  now += 1
  expect(signer.verify(link)).toEqual({ ok: false, reason: 'expired' })
})

test('another server with the same secret accepts it, one with another does not', () => {
  const link = signer.sign('/files/file_1')
  const clock = { ttlSeconds: 5, now: () => now }
  expect(createDownloadSigner({ secret: SECRET, ...clock }).verify(link)).toMatchObject({ ok: true })
  const stranger = createDownloadSigner({ secret: `${SECRET}!`, ...clock })
  expect(stranger.verify(link)).toEqual({ ok: false, reason: 'tampered' })
})

describe('a changed link does not count', () => {
  const changes: [string, (link: string) => string][] = [
    ['another path', (link) => link.replace('file_1', 'file_2')],
    ['a later expiry', (link) => link.replace(/expires=(\d+)/, (_, at) => `expires=${Number(at) + 1}`)],
    ['another claim', (link) => link.replace('user_1', 'user_2')],
    ['a claim less', (link) => link.replace('user=user_1&', '')],
    ['a claim more', (link) => `${link}&admin=1`],
    ['a claim under another name', (link) => link.replace('user=', 'uses=')],
    ['another signature', (link) => link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A').repeat(1))],
    ['half a signature', (link) => link.slice(0, -20)],
  ]
  test.each(changes)('%s', (_, change) => {
    const link = signer.sign('/files/file_1', { user: 'user_1' })
    const changed = change(link)
    expect(changed).not.toBe(link)
    expect(signer.verify(changed)).toEqual({ ok: false, reason: 'tampered' })
  })

  test('and that it is expired is not told', () => {
    const link = signer.sign('/files/file_1').replace('file_1', 'file_2')
    now += 3_600_000
    expect(signer.verify(link)).toEqual({ ok: false, reason: 'tampered' })
  })
})

test.each([
  '',
  '/files/file_1',
  '/files/file_1?',
  '?expires=1&signature=AAAA',
  '/x?expires=1767225660',
  '/x?signature=AAAA',
  '/x?expires=1e9&signature=AAAA',
  '/x?expires=-1&signature=AAAA',
  '/x?expires=1767225660&expires=1767225661&signature=AAAA',
])('%j is malformed', (target) => {
  expect(signer.verify(target)).toEqual({ ok: false, reason: 'malformed' })
})

test('what cannot be signed unambiguously is refused', () => {
  expect(() => signer.sign('files')).toThrow(TypeError)
  expect(() => signer.sign('/files?x=1')).toThrow(TypeError)
  expect(() => signer.sign('/files', { expires: '9' })).toThrow(TypeError)
  expect(() => createDownloadSigner({ secret: 'short', ttlSeconds: 1 })).toThrow(TypeError)
})
