import { describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../src/config.ts'

test('without settings everything has a default', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 4000,
    maxDatasetFileBytes: 100 * 1024 * 1024,
  })
})

test('a setting that is empty counts as not set', () => {
  expect(readConfig({ PORT: '', TRAINYARD_ADMIN_PASSWORD: '' })).toEqual(readConfig({}))
})

test.each([
  ['true', 'signed-in'],
  ['false', 'off'],
  ['everyone', 'everyone'],
])('TRAINYARD_GRAPHIQL=%s means %s', (value, graphiql) => {
  expect(readConfig({ TRAINYARD_GRAPHIQL: value })).toMatchObject({ graphiql })
})

test.each(['loopback', '10.0.0.1', '10.0.0.0/8, fd00::/8', 'uniquelocal,192.0.2.7'])(
  'TRAINYARD_TRUSTED_PROXIES may be %s',
  (value) => {
    expect(readConfig({ TRAINYARD_TRUSTED_PROXIES: value }).trustedProxies).toEqual(value.split(/, ?/))
  },
)

describe('a wrong setting is named, with what it must be', () => {
  test.each([
    ['PORT', 'abc', 'must be a number'],
    ['PORT', '1.5', 'must be a whole number'],
    ['PORT', '65536', 'must be at most 65535'],
    ['PORT', '-1', 'must be at least 0'],
    ['TRAINYARD_ADMIN_PASSWORD', 'short', 'must have at least 8 characters'],
    ['TRAINYARD_PUBLIC_URL', 'here', 'must be a URL'],
    ['TRAINYARD_GRAPHIQL', 'yes', 'must be everyone, signed-in or off'],
    ['TRAINYARD_INTROSPECTION', 'yes', 'must be everyone, signed-in or off'],
    ['TRAINYARD_TRUSTED_PROXIES', '10.0.0.0/99', 'must be addresses'],
    ['TRAINYARD_TRUSTED_PROXIES', 'my-proxy', 'must be addresses'],
    ['TRAINYARD_REGISTRATION', 'closed', 'must be invitation, open or off'],
    ['TRAINYARD_MAX_CONCURRENT_RUNS', '0', 'must be at least 1'],
    ['TRAINYARD_SMTP_URL', 'mail.example.org', 'must be an address such as smtps://'],
    ['TRAINYARD_SMTP_URL', 'https://mail.example.org', 'must be an address such as smtps://'],
    ['TRAINYARD_SMTP_URL', 'smtps://user:100%@mail.example.org', 'must be an address such as smtps://'],
    ['TRAINYARD_SMTP_URL', 'smtps://mail.example.org/inbox', 'must be an address such as smtps://'],
    ['TRAINYARD_MAIL_FROM', 'Trainyard', 'must be an address such as Trainyard <'],
    ['TRAINYARD_MAIL_FROM', 'a@example.org, b@example.org', 'must be an address such as Trainyard <'],
    ['TRAINYARD_MAIL_FROM', 'a@example.org\nBcc: b@example.org', 'must be an address such as Trainyard <'],
    ['TRAINYARD_SECRET_KEY', 'password', 'must be 32 bytes, in base64 or hexadecimal'],
  ])('%s=%s', (name, value, problem) => {
    expect(() => readConfig({ [name]: value })).toThrow(ConfigError)
    expect(() => readConfig({ [name]: value })).toThrow(`${name}: ${problem}`)
  })

  test('and all at once in one line', () => {
    expect(() => readConfig({ PORT: 'abc', LOG_LEVEL: 'loud' })).toThrow(
      /^Wrong setting: PORT: [^\n]*; LOG_LEVEL: [^\n]*$/,
    )
  })
})

test('a key that is wrong is not repeated', () => {
  const nearly = 'f'.repeat(63)

  expect(() => readConfig({ TRAINYARD_SECRET_KEY: nearly })).toThrow(/^(?!.*ffff)/)
})

test('the key is either in the environment or in a file', () => {
  const both = { TRAINYARD_SECRET_KEY: 'f'.repeat(64), TRAINYARD_SECRET_KEY_FILE: '/run/secrets/trainyard' }

  expect(() => readConfig(both)).toThrow(
    'TRAINYARD_SECRET_KEY_FILE: must not be set along with TRAINYARD_SECRET_KEY',
  )
})

test.each([
  ['smtps://mail.example.org', 'trainyard@example.org'],
  ['smtp://user:pa%25ss@mail.example.org:2525/?tls=none', 'Trainyard <trainyard@example.org>'],
  ['smtp://127.0.0.1:25', 'Die Züge <trainyard@localhost>'],
])('mail goes through %s from %s', (smtpUrl, mailFrom) => {
  const settings = { TRAINYARD_SMTP_URL: smtpUrl, TRAINYARD_MAIL_FROM: mailFrom }

  expect(readConfig(settings)).toMatchObject({ smtpUrl, mailFrom })
})

test('mail needs a sender', () => {
  expect(() => readConfig({ TRAINYARD_SMTP_URL: 'smtps://mail.example.org' })).toThrow(
    'TRAINYARD_MAIL_FROM: must be set along with TRAINYARD_SMTP_URL',
  )
})

test.each([
  [{}, true],
  [{ HOST: 'localhost' }, true],
  [{ HOST: '0.0.0.0' }, false],
  [{ HOST: '127.0.0.1', TRAINYARD_PUBLIC_URL: 'https://trainyard.example.org' }, false],
  [{ HOST: '0.0.0.0', TRAINYARD_FREE_COMMANDS: 'true' }, true],
  [{ TRAINYARD_FREE_COMMANDS: 'false' }, false],
])('with %j projects may have commands of their own: %s', (environment, freeCommands) => {
  expect(readConfig(environment)).toMatchObject({ freeCommands })
})
