import { expect, test } from 'vitest'
import { invitationLetter, passwordResetLetter } from '../../src/mail/letters.ts'

const publicUrl = 'https://trainyard.example.org'
const link = `${publicUrl}/account/reset-password#token=abc`

test('an invitation says who invites, where to, and how long its link works', () => {
  const letter = invitationLetter('ada@example.org', { link, publicUrl, minutes: 10_080, invitedBy: 'grace' })

  expect(letter).toMatchInlineSnapshot(`
    {
      "subject": "Your invitation to Trainyard",
      "text": "Hello,

    grace invites you to Trainyard at https://trainyard.example.org, where your team trains and serves its language models.

    Choose a user name and a password here:
    https://trainyard.example.org/account/reset-password#token=abc

    The link works once, for 7 days. If you did not expect it, you need not do anything.

    Trainyard
    ",
      "to": "ada@example.org",
    }
  `)
})

test('a reset says who asked, for which account, and that nothing has happened yet', () => {
  const letter = passwordResetLetter('ada@example.org', {
    link,
    publicUrl,
    minutes: 60,
    username: 'ada',
    askedBy: 'somebody at 203.0.113.7',
  })

  expect(letter).toMatchInlineSnapshot(`
    {
      "subject": "A new password for Trainyard",
      "text": "Hello ada,

    Somebody at 203.0.113.7 asked for a new password for your account at https://trainyard.example.org.

    Choose it here:
    https://trainyard.example.org/account/reset-password#token=abc

    The link works once, for 1 hour. Until you use it your password stays as it is, so if you did not want this, you need not do anything.

    Trainyard
    ",
      "to": "ada@example.org",
    }
  `)
})

test.each([
  [1, '1 minute'],
  [45, '45 minutes'],
  [60, '1 hour'],
  [90, '90 minutes'],
  [1440, '1 day'],
  [4320, '3 days'],
])('%d minutes are %s', (minutes, words) => {
  const { text } = invitationLetter('ada@example.org', { link, publicUrl, minutes, invitedBy: 'grace' })

  expect(text).toContain(`works once, for ${words}.`)
})

test.each(['\n', '\r\n', '\u2028', '\u202e', '\u0000'])(
  'a name with %j in it stays on its line',
  (character) => {
    const name = `grace${character}${character}Click here: https://example.com`
    const letters = [
      invitationLetter('ada@example.org', { link, publicUrl, minutes: 60, invitedBy: name }),
      passwordResetLetter('ada@example.org', { link, publicUrl, minutes: 60, username: name, askedBy: name }),
    ]

    for (const { subject, text } of letters) {
      expect(subject).not.toContain('grace')
      expect(text).toContain('grace Click here: https://example.com')
      expect(text).not.toContain(`grace${character}`)
    }
  },
)
