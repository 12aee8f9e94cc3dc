import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AccountCreateInvitationDocument,
  AccountLoginDocument,
  AccountRegisterDocument,
  AccountRequestPasswordResetDocument,
  AccountResetPasswordDocument,
} from '../../../src/generated/operations.ts'
import { CREDENTIALS, startSmtpServer, type TestSmtpServer } from '../../mail/support/smtp-server.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { createClient } from '../../support/client.ts'
import { expected, person } from '../../support/people.ts'
import { until } from '../../support/until.ts'

let smtp: TestSmtpServer
let app: TestApp
beforeAll(async () => {
  // Without TLS, because the certificate of a test is nobody's; a password is sent only because the address says so.
  smtp = await startSmtpServer({ hideSTARTTLS: true, allowInsecureAuth: true })
  app = await startTestApp({
    smtpUrl: `smtp://${CREDENTIALS}@127.0.0.1:${smtp.port}?tls=none`,
    mailFrom: 'Trainyard <trainyard@example.org>',
  })
})
afterAll(async () => {
  await app.stop()
  await smtp.close()
})

/** The letter that somebody has got, and the token of the link in it. */
async function letterTo(address: string, page: string) {
  const letter = await until(`a letter to ${address}`, () =>
    smtp.received.find(({ recipients }) => recipients.includes(address)),
  )
  const text = letter.source.replaceAll('=\r\n', '').replaceAll('=3D', '=')
  const [, token = ''] = text.split(`${app.url}/account/${page}#token=`)
  return { text, token: token.split(/\s/, 1)[0] ?? '' }
}

test('an invitation is mailed, and its link makes an account', async () => {
  const { createInvitation } = await app.api.send(AccountCreateInvitationDocument, {
    input: { email: 'ada@example.org', sendMail: true },
  })
  expect(createInvitation.__typename).toBe('Invitation')
  const { text, token } = await letterTo('ada@example.org', 'accept-invitation')

  expect(text).toContain('admin invites you')
  const { register } = await createClient(app.url).send(AccountRegisterDocument, {
    input: { username: 'ada', email: 'ada@example.org', password: 'correct-horse', invitationToken: token },
  })
  expect(expected(register, 'Session').user.username).toBe('ada')
})

test('a forgotten password takes a letter, and its link sets a new one', async () => {
  await person(app, 'grace')
  const nobody = createClient(app.url)

  await nobody.send(AccountRequestPasswordResetDocument, { input: { username: 'grace' } })
  const { text, token } = await letterTo('grace@example.org', 'reset-password')

  expect(text).toContain('Hello grace')
  const { resetPassword } = await nobody.send(AccountResetPasswordDocument, {
    input: { token, newPassword: 'a password of her own' },
  })
  expect(resetPassword.__typename).toBe('Session')
  const { login } = await nobody.send(AccountLoginDocument, {
    input: { username: 'grace', password: 'a password of her own' },
  })
  expect(login.__typename).toBe('Session')
})

test('an invitation whose letter cannot be handed over is not made', async () => {
  const refusing = await startTestApp({
    smtpUrl: 'smtp://127.0.0.1:1',
    mailFrom: 'Trainyard <trainyard@example.org>',
  })
  const { createInvitation } = await refusing.api.send(AccountCreateInvitationDocument, {
    input: { email: 'nobody@example.org', sendMail: true },
  })
  const { invitations } = await refusing.api.send<{ invitations: object }, object>(
    '{ invitations { totalCount } }',
  )
  await refusing.stop()

  expect(createInvitation).toMatchObject({ __typename: 'UnavailableError' })
  expect(invitations).toEqual({ totalCount: 0 })
})
