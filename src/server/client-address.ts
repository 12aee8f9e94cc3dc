import type { IncomingMessage } from 'node:http'
import proxyAddr from 'proxy-addr'

/** Tells where a request comes from. */
export type ClientAddress = (req: IncomingMessage) => string

/**
 * Where requests come from: the address of the connection or, where that is a trusted proxy, the last address
 * in X-Forwarded-For that is not. What anybody else writes into that header does not count.
 *
 * @param trustedProxies addresses, ranges such as 10.0.0.0/8, or loopback, linklocal, uniquelocal
 * @throws TypeError when one of them is none of these
 */
export function createClientAddress(trustedProxies: string[]): ClientAddress {
  if (trustedProxies.length === 0) return ({ socket }) => socket.remoteAddress ?? 'unknown'
  const isTrusted = proxyAddr.compile(trustedProxies)
  return (req) => proxyAddr(req, isTrusted) ?? 'unknown'
}
