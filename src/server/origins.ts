import type { IncomingHttpHeaders } from 'node:http'

/** Whose pages may use the API from a browser. */
export interface OriginSettings {
  /** Other origins, such as https://dashboard.example.org. */
  allowedOrigins: string[]
  /** Where clients reach the server, when that is set. */
  publicUrl: string | undefined
}

/**
 * Whether a request comes from a page that may use the API with its visitor's credentials, or from no page at
 * all: browsers name the origin of the page, programs name none and need none.
 */
export function isOwnOrAllowedOrigin(
  { origin, host }: Pick<IncomingHttpHeaders, 'origin' | 'host'>,
  settings: OriginSettings,
): boolean {
  if (origin === undefined || settings.allowedOrigins.includes(origin)) return true
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  if (settings.publicUrl !== undefined && url.origin === new URL(settings.publicUrl).origin) return true
  return url.host === host
}
