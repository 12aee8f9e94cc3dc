import type { Config } from '../config.ts'
import { localUrl } from '../local-url.ts'
import { AdminError } from './errors.ts'

/** Where clients reach the server. @throws AdminError when that cannot be known */
export function publicUrlOf({ publicUrl, host, port }: Config): string {
  if (publicUrl !== undefined) return publicUrl
  if (port !== 0) return localUrl(host, port)
  throw new AdminError(
    'The port is whichever is free: set TRAINYARD_PUBLIC_URL to where the server is reached.',
  )
}
