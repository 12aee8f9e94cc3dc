import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseCookie, type SetCookie, stringifySetCookie } from 'cookie'
import type { SessionCookie } from '../graphql/context.ts'
import { GRAPHQL_PATH } from './paths.ts'

/** The name that the cookie has. */
const NAME = 'trainyard_refresh'

/** The refresh token that a request carries, whoever sent it; null when there is none. */
export function refreshTokenOf(req: IncomingMessage): string | null {
  return parseCookie(req.headers.cookie ?? '')[NAME] ?? null
}

/**
 * The cookie of a request over HTTP: scripts cannot read it, other sites cannot send it, and it goes nowhere but
 * to the API.
 *
 * @param options.secure whether browsers may send it over HTTPS only
 * @param options.isTrusted whether the page that sends the request is one that may use the cookie
 */
export function createSessionCookie(
  req: IncomingMessage,
  res: ServerResponse,
  options: { secure: boolean; isTrusted: boolean },
): SessionCookie {
  const write = (cookie: Pick<SetCookie, 'value' | 'expires'>) =>
    res.appendHeader(
      'Set-Cookie',
      stringifySetCookie({
        ...cookie,
        name: NAME,
        path: GRAPHQL_PATH,
        httpOnly: true,
        sameSite: 'strict',
        secure: options.secure,
      }),
    )
  return {
    read: () => (options.isTrusted ? refreshTokenOf(req) : null),
    set: (value, expires) => write({ value, expires }),
    clear: () => write({ value: '', expires: new Date(0) }),
  }
}

/** Stands for the cookie on a WebSocket. */
export const NO_COOKIE: SessionCookie = { read: () => null, set: () => undefined, clear: () => undefined }
