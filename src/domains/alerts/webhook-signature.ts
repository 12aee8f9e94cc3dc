import { createHmac, randomBytes } from 'node:crypto'

/** What the secrets of webhooks begin with, by the Standard Webhooks specification. */
const PREFIX = 'whsec_'
/** The specification asks for 24 to 64. */
const SECRET_BYTES = 32

/** A new secret to sign messages with: `whsec_` and base64. */
export function newWebhookSecret(): string {
  return PREFIX + randomBytes(SECRET_BYTES).toString('base64')
}

/**
 * The headers by which a receiver knows that a message is from here, recent and not one that it has taken already; see
 * https://www.standardwebhooks.com.
 *
 * @param id of the message: the same at every attempt
 */
export function signatureHeaders(
  secret: string,
  { id, body }: { id: string; body: string },
  at: Date,
): Record<string, string> {
  const timestamp = Math.floor(at.getTime() / 1000)
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  }
}
