import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSecurityHeaders } from '../../src/server/security-headers.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

test.each(['/', '/healthz', '/nothing', '/downloads/artifacts/a/b', '/graphql', '/graphql?query={a}'])(
  '%s tells browsers to be careful with it',
  async (path) => {
    const { headers } = await fetch(app.url + path, { redirect: 'manual' })

    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-powered-by')).toBeNull()
  },
)

/** The headers of an answer with what the server at this address says to browsers, and to programs. */
async function headersAt(publicUrl: string | undefined): Promise<[Headers, Headers]> {
  const securityHeaders = createSecurityHeaders(publicUrl)
  const server = createServer((req, res) => {
    if (req.url === '/program') securityHeaders.setForPrograms(res)
    else securityHeaders.set(req, res)
    res.end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  const [browser, program] = [await fetch(url), await fetch(`${url}/program`)]
  server.close()
  return [browser.headers, program.headers]
}

test.each([
  [undefined, null],
  ['http://trainyard.example.org', null],
  ['https://trainyard.example.org', expect.stringContaining('max-age=31536000')],
])('a server that is reached at %s makes HTTPS compulsory: %s', async (publicUrl, expected) => {
  const [browser, program] = await headersAt(publicUrl)

  expect(browser.get('strict-transport-security')).toEqual(expected)
  expect(program.get('strict-transport-security')).toEqual(browser.get('strict-transport-security'))
  expect(program.get('x-content-type-options')).toBe('nosniff')
})
