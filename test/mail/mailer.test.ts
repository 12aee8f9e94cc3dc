import { once } from 'node:events'
import { createServer } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UnavailableError, ValidationError } from '../../src/errors.ts'
import { createMailer, type Mail, type Mailer } from '../../src/mail/mailer.ts'
import { CERTIFICATE } from './support/certificate.ts'
import { CREDENTIALS, startSmtpServer, type TestSmtpServer } from './support/smtp-server.ts'

const FROM = 'Trainyard <trainyard@example.org>'
const MAIL: Mail = { to: 'ada@example.org', subject: 'Hello', text: 'A line of text.\n' }

let closing: (() => Promise<unknown> | unknown)[] = []
const trusted = getCACertificates()
beforeEach(() => {
  setDefaultCACertificates([...trusted, CERTIFICATE])
  closing = [() => setDefaultCACertificates(trusted)]
})
afterEach(async () => {
  for (const close of closing) await close()
})

async function smtpServer(options?: Parameters<typeof startSmtpServer>[0]): Promise<TestSmtpServer> {
  const server = await startSmtpServer(options)
  closing.push(server.close)
  return server
}

function mailerFor(smtpUrl: string, mailFrom = FROM): Mailer {
  const mailer = createMailer({ smtpUrl, mailFrom }, { patienceMs: 2000 })
  if (!mailer) throw new Error('There is no mailer.')
  return mailer
}

/** It fails for a reason that can be shown to anybody, and that holds no password wherever one looks. */
async function expectUnavailable(sending: Promise<void>, reason: string) {
  const error = await sending.then(
    () => null,
    (failure: unknown) => failure,
  )

  expect(error).toBeInstanceOf(UnavailableError)
  expect(error instanceof Error ? error.message : '').toBe(`The mail could not be sent: ${reason}.`)
  const everything = inspect(error, { depth: 10, showHidden: true })
  for (const secret of ['pa:ss/word', CREDENTIALS, Buffer.from('\0trainyard\0pa:ss/word').toString('base64')])
    expect(everything).not.toContain(secret)
}

test('without a server there is no mailer', () => {
  expect(createMailer({ smtpUrl: undefined, mailFrom: undefined })).toBeNull()
})

describe('a mail arrives', () => {
  test('over TLS from the first byte', async () => {
    const { port, received } = await smtpServer({ secure: true })

    await mailerFor(`smtps://${CREDENTIALS}@localhost:${port}`).send(MAIL)

    expect(received).toMatchObject([{ recipients: ['ada@example.org'], secure: true, user: 'trainyard' }])
    expect(received[0]?.source).toContain('From: Trainyard <trainyard@example.org>\r\n')
    expect(received[0]?.source).toContain('To: ada@example.org\r\n')
    expect(received[0]?.source).toContain('Subject: Hello\r\n')
    expect(received[0]?.source).toContain('Auto-Submitted: auto-generated\r\n')
    expect(received[0]?.source).toContain('\r\n\r\nA line of text.\r\n')
  })

  test('over a connection that turns to TLS', async () => {
    const { port, received } = await smtpServer()

    await mailerFor(`smtp://${CREDENTIALS}@localhost:${port}`).send(MAIL)

    expect(received).toMatchObject([{ secure: true, user: 'trainyard' }])
  })

  test('in the open, when that is what was asked for', async () => {
    const { port, received } = await smtpServer({ authOptional: true })

    await mailerFor(`smtp://127.0.0.1:${port}?tls=none`).send(MAIL)

    expect(received).toMatchObject([{ secure: false, user: undefined }])
  })

  test('with a subject and a text in other scripts', async () => {
    const { port, received } = await smtpServer({ authOptional: true })

    await mailerFor(`smtp://localhost:${port}`).send({ ...MAIL, subject: '您好', text: '密码\n' })

    expect(received[0]?.source).toContain('Subject: =?UTF-8?')
    expect(received[0]?.source).toContain(Buffer.from('密码\n').toString('base64').replace(/=+$/, ''))
  })
})

describe('it is unavailable, without saying more than one may know,', () => {
  test('when nobody listens', async () => {
    const { port, close } = await smtpServer()
    await close()

    await expectUnavailable(
      mailerFor(`smtp://${CREDENTIALS}@127.0.0.1:${port}`).send(MAIL),
      'no safe connection to the mail server can be made',
    )
  })

  test('when the server never says a word', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    closing.push(() => silent.close())
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    const impatient = createMailer(
      { smtpUrl: `smtp://${CREDENTIALS}@127.0.0.1:${port}`, mailFrom: FROM },
      { patienceMs: 200 },
    )

    await expectUnavailable(
      impatient?.send(MAIL) ?? Promise.resolve(),
      'the mail server does not answer in time',
    )
  })

  test('when the server does not know the password', async () => {
    const { port } = await smtpServer({ onAuth: (_auth, _session, done) => done(new Error('No.')) })

    await expectUnavailable(
      mailerFor(`smtp://${CREDENTIALS}@localhost:${port}`).send(MAIL),
      "the mail server does not accept Trainyard's user name and password",
    )
  })

  test.each([
    ['does not offer TLS', { disabledCommands: ['STARTTLS'] }],
    ['offers TLS and then refuses it', { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] }],
  ])('when the server %s: no password is sent in the open', async (_what, options) => {
    const asked: string[] = []
    const { port, received } = await smtpServer({
      ...options,
      allowInsecureAuth: true,
      onAuth: ({ username = '' }, _session, done) => {
        asked.push(username)
        done(null, { user: username })
      },
    })

    await expectUnavailable(
      mailerFor(`smtp://${CREDENTIALS}@localhost:${port}`).send(MAIL),
      'the mail server offers no encrypted connection',
    )
    expect(asked).toEqual([])
    expect(received).toEqual([])
  })

  test.each(['smtp', 'smtps'])('when its certificate is not trusted, with %s', async (protocol) => {
    setDefaultCACertificates(trusted)
    const { port, received } = await smtpServer({ secure: protocol === 'smtps' })

    await expectUnavailable(
      mailerFor(`${protocol}://${CREDENTIALS}@localhost:${port}`).send(MAIL),
      'no safe connection to the mail server can be made',
    )
    expect(received).toEqual([])
  })

  test('when the server refuses the recipient', async () => {
    const { port } = await smtpServer({
      authOptional: true,
      onRcptTo: (_address, _session, done) => done(new Error('There is nobody of that name.')),
    })

    await expectUnavailable(
      mailerFor(`smtp://localhost:${port}`).send(MAIL),
      'the mail server refuses the address',
    )
  })

  test('when the server refuses the mail itself', async () => {
    const { port } = await smtpServer({
      authOptional: true,
      onData: (stream, _session, done) => {
        stream.resume()
        stream.once('end', () => done(new Error('This is spam.')))
      },
    })

    await expectUnavailable(mailerFor(`smtp://localhost:${port}`).send(MAIL), 'the mail server refuses it')
  })
})

describe('nothing that somebody has typed', () => {
  test.each([
    'ada@example.org, eve@example.org',
    'ada@example.org\r\nBcc: eve@example.org',
    'ada@example.org\nBcc: eve@example.org',
    'Ada <ada@example.org>',
    '<ada@example.org>',
    'ada@example.org> NOTIFY=SUCCESS',
    'friends:ada@example.org,eve@example.org;',
    '"ada"@example.org',
    'ada',
    '',
  ])('makes an address of %j', async (to) => {
    const { port, received } = await smtpServer({ authOptional: true })

    await expect(mailerFor(`smtp://localhost:${port}`).send({ ...MAIL, to })).rejects.toBeInstanceOf(
      ValidationError,
    )
    expect(received).toEqual([])
  })

  test.each(['\r\n', '\n', '\r', '\u2028', '\0\n'])(
    'makes a header with %j in a subject',
    async (lineBreak) => {
      const { port, received } = await smtpServer({ authOptional: true })
      const subject = `Hello${lineBreak}Bcc: eve@example.org${lineBreak}${lineBreak}Another text`

      await mailerFor(`smtp://localhost:${port}`).send({ ...MAIL, subject })

      expect(received).toMatchObject([{ recipients: ['ada@example.org'] }])
      const [headers = ''] = received[0]?.source.split('\r\n\r\n') ?? []
      expect(headers).toContain('Subject: Hello Bcc: eve@example.org Another text')
      expect(headers).not.toMatch(/^bcc:/im)
    },
  )

  test('ends the mail', async () => {
    const { port, received } = await smtpServer({ authOptional: true })
    const text = 'before\r\n.\r\nMAIL FROM:<eve@example.org>\r\nafter\r\n'

    await mailerFor(`smtp://localhost:${port}`).send({ ...MAIL, text })

    expect(received).toHaveLength(1)
    expect(received[0]?.source).toContain('after')
  })
})
