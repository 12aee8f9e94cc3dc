import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

/** Puts the headers into an answer that tell a browser to be careful with it. */
export interface SecurityHeaders {
  /** All of them. */
  set(req: IncomingMessage, res: ServerResponse): void
  /**
   * Those that matter for data that no browser shows, because it is given for an API token only: a model is asked a
   * thousand times a second, and a dozen headers take longer than all else that we say.
   */
  setForPrograms(res: ServerResponse): void
}

/** How long browsers use nothing but HTTPS, in seconds: a year. */
const HTTPS_SECONDS = 31_536_000

/**
 * What every answer says to a browser: it may load and run nothing, and show it nowhere else. Our pages replace
 * the policy by one of their own that allows what they need.
 *
 * @param publicUrl where clients reach the server; HTTPS is made compulsory only where that says https
 */
export function createSecurityHeaders(publicUrl: string | undefined): SecurityHeaders {
  const isHttps = publicUrl?.startsWith('https:') ?? false
  const setAll = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: isHttps ? { maxAge: HTTPS_SECONDS } : false,
    xFrameOptions: { action: 'deny' },
  })
  return {
    set(req, res) {
      setAll(req, res, (error) => {
        if (error) throw error
      })
    },
    setForPrograms(res) {
      res.setHeader('X-Content-Type-Options', 'nosniff')
      if (isHttps) {
        res.setHeader('Strict-Transport-Security', `max-age=${HTTPS_SECONDS}; includeSubDomains`)
      }
    },
  }
}
