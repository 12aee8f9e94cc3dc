import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { CERTIFICATE, CERTIFICATE_KEY } from './certificate.ts'

/** A mail as the server got it. */
export interface ReceivedMail {
  /** Who it was to go to, whatever its headers say. */
  recipients: string[]
  /** Headers and text as they were sent. */
  source: string
  /** Whether the connection was encrypted, and who had signed in on it. */
  secure: boolean
  user: string | undefined
}

/** The user that the server knows, as it stands in an address. */
export const CREDENTIALS = 'trainyard:pa%3Ass%2Fword'
const [USER, PASSWORD] = ['trainyard', 'pa:ss/word']

/** An SMTP server of a test's own. */
export interface TestSmtpServer {
  port: number
  received: ReceivedMail[]
  close(): Promise<void>
}

/** Starts one, which wants a user to sign in unless the options say otherwise. */
export async function startSmtpServer(options: SMTPServerOptions = {}): Promise<TestSmtpServer> {
  const received: ReceivedMail[] = []
  const server = new SMTPServer({
    key: CERTIFICATE_KEY,
    cert: CERTIFICATE,
    onAuth: ({ username, password }, _session, done) =>
      username === USER && password === PASSWORD
        ? done(null, { user: username })
        : done(new Error('Who are you?')),
    onData: (stream, { envelope, secure, user }, done) => {
      void text(stream).then((source) => {
        const recipients = envelope.rcptTo.map(({ address }) => address)
        received.push({ recipients, source, secure, user })
        done()
      }, done)
    },
    ...options,
  })
  // Clients that break off are what some tests are about.
  server.on('error', () => undefined)
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const address = listening.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    received,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
