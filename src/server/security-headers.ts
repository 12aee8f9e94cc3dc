import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

/** Puts the headers into an answer that tell a browser to be careful with it. */
export type SecurityHeaders = (req: IncomingMessage, res: ServerResponse) => void

/**
 * What every answer says to a browser: it may load and run nothing, and show it nowhere else. Our pages replace
 * the policy by one of their own that allows what they need.
 *
 * @param publicUrl where clients reach the server; HTTPS is made compulsory only where that says https
 */
export function createSecurityHeaders(publicUrl: string | undefined): SecurityHeaders {
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
    strictTransportSecurity: publicUrl?.startsWith('https:') ? { maxAge: 31_536_000 } : false,
    xFrameOptions: { action: 'deny' },
  })
  return (req, res) => {
    setAll(req, res, (error) => {
      if (error) throw error
    })
  }
}
