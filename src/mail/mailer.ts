import { createTransport } from 'nodemailer'
import { UnavailableError, ValidationError } from '../errors.ts'
import { oneLine } from './one-line.ts'

/** A mail in plain text. */
export interface Mail {
  /** One address, without a name. */
  to: string
  subject: string
  text: string
}

/** Sends mail through the operator's SMTP server. */
export interface Mailer {
  /**
   * Hands a mail over to the SMTP server.
   *
   * @throws ValidationError when `to` is anything but one address
   * @throws UnavailableError when the server cannot be reached or does not take it
   */
  send(mail: Mail): Promise<void>
}

/** How mail is sent. */
export interface MailSettings {
  /**
   * `smtp://user:password@host:port`, which turns to TLS by STARTTLS, or `smtps://…`, which begins with it. A
   * password is never sent without TLS, unless the address ends in `?tls=none`. Null when no mail is sent.
   */
  smtpUrl: string | undefined
  /** The sender, such as `Trainyard <trainyard@example.org>`. */
  mailFrom: string | undefined
}

/** How long the SMTP server may take to connect, to greet, and to answer each command, in ms. */
const PATIENCE_MS = 10_000
/** What one address looks like: nothing that would begin another address, a name or a header. */
const ADDRESS = /^[^\s<>()[\]\\,;:"@\p{Cc}]+@[^\s<>()\\,;:"@\p{Cc}]+$/u

/**
 * A mailer for these settings; null when no SMTP server is set.
 *
 * @param options.patienceMs how long to wait for each answer of the server
 * @default options.patienceMs 10,000
 */
export function createMailer(
  { smtpUrl, mailFrom }: MailSettings,
  { patienceMs = PATIENCE_MS } = {},
): Mailer | null {
  if (smtpUrl === undefined || mailFrom === undefined) return null
  const transport = createTransport({
    ...serverOf(new URL(smtpUrl)),
    connectionTimeout: patienceMs,
    greetingTimeout: patienceMs,
    socketTimeout: patienceMs,
    dnsTimeout: patienceMs,
    // A mail is made of the text that it is given, and of nothing that the text names.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ to, subject, text }) {
      if (!ADDRESS.test(to)) throw ValidationError.at('to', 'Must be one email address.')
      const mail = {
        from: mailFrom,
        to: { name: '', address: to },
        subject: oneLine(subject),
        text,
        // RFC 3834: nobody's absence is to be answered to a machine.
        headers: { 'Auto-Submitted': 'auto-generated' },
      }
      try {
        await transport.sendMail(mail)
      } catch (error) {
        throw new UnavailableError(`The mail could not be sent: ${reasonOf(error)}.`, { cause: error })
      }
    },
  }
}

function serverOf(url: URL) {
  const secure = url.protocol === 'smtps:'
  const isPlain = !secure && url.searchParams.get('tls') === 'none'
  const user = decodeURIComponent(url.username)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ignoreTLS: isPlain,
    // STARTTLS is offered in the open, where it can be taken away.
    requireTLS: !secure && !isPlain && user !== '',
    auth: user === '' ? undefined : { user, pass: decodeURIComponent(url.password) },
  }
}

/** What went wrong, for the person who waits for the mail: without a word of the server's, which the cause has. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EAUTH':
      return "the mail server does not accept Trainyard's user name and password"
    case 'ETLS':
      return 'the mail server offers no encrypted connection'
    case 'ETIMEDOUT':
      return 'the mail server does not answer in time'
    case 'EDNS':
    case 'ECONNECTION':
    case 'ESOCKET':
      return 'no safe connection to the mail server can be made'
    case 'EENVELOPE':
      return 'the mail server refuses the address'
    default:
      return 'the mail server refuses it'
  }
}
