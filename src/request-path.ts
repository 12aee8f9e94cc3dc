import type { IncomingMessage } from 'node:http'

/** The path that a request asks for, without its query: what stands there may be a secret. */
export function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '/'
}
