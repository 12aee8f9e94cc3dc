import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountLink } from '../../src/server/pages/account/account-pages.ts'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
let url: string
beforeAll(async () => {
  app = await startTestApp()
  url = app.url
})
afterAll(() => app.stop())

test('a link has its token where browsers send it to nobody', () => {
  const link = accountLink('https://trainyard.example.org', 'reset-password', 'typ_a+b/c&d')

  expect(link).toBe('https://trainyard.example.org/account/reset-password#token=typ_a%2Bb%2Fc%26d')
  expect(new URLSearchParams(new URL(link).hash.slice(1)).get('token')).toBe('typ_a+b/c&d')
})

describe.each([
  ['reset-password', ['newPassword'], 'resetPassword(input: $input)'],
  ['accept-invitation', ['username', 'email', 'password'], 'register(input: $input)'],
])('/account/%s', (page, fields, mutation) => {
  const get = (init?: RequestInit) => fetch(`${url}/account/${page}`, init)

  test('asks for what the mutation needs', async () => {
    const response = await get()
    const html = await response.text()

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect([...html.matchAll(/<input [^>]*name="(\w+)"/g)].map(([, name]) => name)).toEqual(fields)
    for (const name of fields) expect(html).toContain(`<label for="${name}">`)
    expect(html).toContain(mutation)
  })

  test('is kept by nobody, shown in no frame, and tells no other site where one was', async () => {
    const { headers } = await get()

    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('runs its own script and no other, and loads nothing', async () => {
    const response = await get()
    const html = await response.text()
    const policy = new Map(
      (response.headers.get('content-security-policy') ?? '').split('; ').map((directive) => {
        const [name = '', ...sources] = directive.split(' ')
        return [name, sources.join(' ')]
      }),
    )
    const hash = (text: string | undefined) =>
      `'sha256-${createHash('sha256')
        .update(text ?? '')
        .digest('base64')}'`

    expect(policy.get('default-src')).toBe("'none'")
    expect(policy.get('script-src')).toBe(hash(/<script>(.*?)<\/script>/s.exec(html)?.[1]))
    expect(policy.get('style-src')).toBe(hash(/<style>(.*?)<\/style>/s.exec(html)?.[1]))
    expect(policy.get('connect-src')).toBe("'self'")
    for (const name of ['base-uri', 'form-action', 'frame-ancestors']) expect(policy.get(name)).toBe("'none'")
    expect(html).not.toMatch(/ (on\w+|style|src)=/)
    expect(html.match(/<script/g)).toHaveLength(1)
  })

  test('is the same for everybody, whatever the address says', async () => {
    const plain = await (await get()).text()
    const other = await fetch(`${url}/account/${page}?token=<script>alert(1)</script>`)

    expect(await other.text()).toBe(plain)
  })

  test('is to be looked at, and nothing else', async () => {
    const head = await get({ method: 'HEAD' })
    const post = await get({ method: 'POST', body: 'password=correct-horse' })

    expect([head.status, await head.text()]).toEqual([200, ''])
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})

test.each(['/account/', '/account/reset-password/', '/account/constructor', '/account/../etc/passwd'])(
  '%s is not there',
  async (path) => {
    const response = await fetch(url + path)

    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('text/plain')
  },
)
