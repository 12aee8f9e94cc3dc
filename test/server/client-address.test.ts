import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { createClientAddress } from '../../src/server/client-address.ts'

const stop: (() => void)[] = []
afterEach(() => {
  for (const each of stop.splice(0)) each()
})

/** The address that a server with these proxies sees of a request from 127.0.0.1 with this header. */
async function addressSeen(trustedProxies: string[], forwardedFor?: string): Promise<string> {
  const clientAddress = createClientAddress(trustedProxies)
  const server = createServer((req, res) => res.end(clientAddress(req))).listen(0, '127.0.0.1')
  stop.push(() => server.close())
  await once(server, 'listening')
  const address = server.address()
  const response = await fetch(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, {
    headers: forwardedFor === undefined ? {} : { 'X-Forwarded-For': forwardedFor },
  })
  return response.text()
}

describe('the address of a client', () => {
  test.each<[string, string[], string | undefined, string]>([
    ['is that of its connection', [], undefined, '127.0.0.1'],
    ['is not what it says itself', [], '203.0.113.9', '127.0.0.1'],
    ['is not what it says itself to a server behind another proxy', ['10.0.0.1'], '203.0.113.9', '127.0.0.1'],
    ['is what a trusted proxy says', ['loopback'], '203.0.113.9', '203.0.113.9'],
    ['is what a trusted range says', ['127.0.0.0/8'], '203.0.113.9', '203.0.113.9'],
    [
      'is the last that is no trusted proxy',
      ['loopback', '10.0.0.0/8'],
      '1.1.1.1, 203.0.113.9, 10.0.0.7',
      '203.0.113.9',
    ],
    ['is that of the proxy when it says nothing', ['loopback'], undefined, '127.0.0.1'],
  ])('%s', async (_what, proxies, forwardedFor, expected) => {
    expect(await addressSeen(proxies, forwardedFor)).toBe(expected)
  })
})
