import { isIPv6 } from 'node:net'

/**
 * What counts as one client among addresses: an IPv4 address, or the first half of an IPv6 address, because
 * whoever has one address there usually has all that begin with it. Null is an address that is not known.
 *
 * @example clientOf('2001:db8::1') // '2001:db8:0:0::/64'
 */
export function clientOf(address: string | null): string {
  if (address === null) return 'unknown'
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [withoutZone = ''] = address.split('%', 1)
  const [head = '', tail = ''] = withoutZone.split('::')
  const leading = head.split(':').filter(Boolean)
  const trailing = tail.split(':').filter(Boolean)
  const zeros = withoutZone.includes('::') ? Array(8 - leading.length - trailing.length).fill('0') : []
  const groups = [...leading, ...zeros, ...trailing].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
