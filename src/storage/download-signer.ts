import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a link may carry besides its path, under the signature: who asked for it, for example. */
type DownloadClaims = Record<string, string>

/** What became of a link: its contents, or why it does not count. */
type DownloadVerification =
  | { ok: true; path: string; claims: DownloadClaims; expiresAt: Date }
  | { ok: false; reason: 'malformed' | 'tampered' | 'expired' }

/** Makes and checks links that let whoever holds them download one thing for a while. */
export interface DownloadSigner {
  /**
   * Returns `path` with its claims, its expiry and its signature as query parameters.
   *
   * @example signer.sign('/files/file_1') // '/files/file_1?expires=1767225600&signature=…'
   * @throws TypeError when `path` has a query or fragment of its own, or a claim has a reserved name
   */
  sign(path: string, claims?: DownloadClaims): string

  /** Checks a request target as it arrived (path and query; anything else counts as malformed). */
  verify(target: string): DownloadVerification
}

const RESERVED = ['expires', 'signature']

/** Sets these signatures apart from others that may be made with the same secret. */
const PURPOSE = 'trainyard-download-1'

/**
 * A signer with a secret of at least 16 bytes. Every server that is to accept a link needs the same
 * one; changing it makes all links invalid.
 *
 * @param options.ttlSeconds how long a link is good for
 * @param options.now the clock, in milliseconds since 1970
 * @default options.now Date.now
 */
export function createDownloadSigner(options: {
  secret: string
  ttlSeconds: number
  now?: () => number
}): DownloadSigner {
  const { secret, ttlSeconds, now = Date.now } = options
  if (Buffer.byteLength(secret) < 16) throw new TypeError('The secret for download links is too short')

  function signature(path: string, expires: number, claims: DownloadClaims): Buffer {
    const sorted = Object.entries(claims).sort(([a], [b]) => (a < b ? -1 : 1))
    return createHmac('sha256', secret)
      .update(JSON.stringify([PURPOSE, path, expires, sorted]))
      .digest()
  }

  function sign(path: string, claims: DownloadClaims = {}): string {
    if (!path.startsWith('/') || /[?#]/.test(path)) throw new TypeError(`Not a plain path: ${path}`)
    const reserved = RESERVED.find((name) => Object.hasOwn(claims, name))
    if (reserved) throw new TypeError(`A claim cannot be called ${reserved}`)
    const expires = Math.floor(now() / 1000) + ttlSeconds
    const query = new URLSearchParams(claims)
    query.set('expires', String(expires))
    query.set('signature', signature(path, expires, claims).toString('base64url'))
    return `${path}?${query}`
  }

  function verify(target: string): DownloadVerification {
    const separator = target.indexOf('?')
    const path = target.slice(0, separator)
    const query = new URLSearchParams(target.slice(separator + 1))
    const expires = query.get('expires') ?? ''
    const given = Buffer.from(query.get('signature') ?? '', 'base64url')
    const names = [...query.keys()]
    if (separator < 1 || !/^\d{1,12}$/.test(expires) || new Set(names).size !== names.length) {
      return { ok: false, reason: 'malformed' }
    }
    const claims = Object.fromEntries([...query].filter(([name]) => !RESERVED.includes(name)))
    const wanted = signature(path, Number(expires), claims)
    if (given.length !== wanted.length)
      return { ok: false, reason: given.length === 0 ? 'malformed' : 'tampered' }
    if (!timingSafeEqual(given, wanted)) return { ok: false, reason: 'tampered' }
    // Only now: whether a forged link would have expired is nobody's business.
    if (now() >= Number(expires) * 1000) return { ok: false, reason: 'expired' }
    return { ok: true, path, claims, expiresAt: new Date(Number(expires) * 1000) }
  }

  return { sign, verify }
}
