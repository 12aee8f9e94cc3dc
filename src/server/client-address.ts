import type { IncomingMessage } from 'node:http'
import { isIPv6 } from 'node:net'
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
  const isTrusted = trustedProxies.length > 0 ? proxyAddr.compile(trustedProxies) : () => false
  return (req) => proxyAddr(req, isTrusted) ?? 'unknown'
}

/**
 * What counts as one client among addresses: an IPv4 address, or the first half of an IPv6 address, because
 * whoever has one address there usually has all that begin with it.
 */
export function clientOf(address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const leading = head.split(':').filter(Boolean)
  const trailing = tail.split(':').filter(Boolean)
  const zeros = address.includes('::') ? Array(8 - leading.length - trailing.length).fill('0') : []
  const groups = [...leading, ...zeros, ...trailing].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
