import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { REDACTED_PATHS } from '../../src/secrets/redaction.ts'

/** What the log has of an entry. */
function logged(entry: object): string {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  pino({ redact: REDACTED_PATHS }, stream).info(entry, 'message')
  return text
}

test.each([
  { password: 'correct-horse' },
  { input: { newPassword: 'correct-horse' } },
  { variables: { input: { invitationToken: 'correct-horse' } } },
  { req: { headers: { authorization: 'Bearer correct-horse', cookie: 'a=correct-horse' } } },
  { res: { headers: { 'set-cookie': ['a=correct-horse'] } } },
  { config: { smtpUrl: 'smtps://trainyard:correct-horse@mail.example.org' } },
])('%j is logged without its secret', (entry) => {
  expect(logged(entry)).not.toContain('correct-horse')
  expect(logged(entry)).toContain('[Redacted]')
})

test('what is no secret is logged', () => {
  expect(logged({ runId: 'run_1', tokenId: 'tok_1' })).toContain('"runId":"run_1","tokenId":"tok_1"')
})
