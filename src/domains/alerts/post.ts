import { VERSION } from '../../version.ts'
import { signatureHeaders } from './webhook-signature.ts'

/** What came of an attempt to deliver a message. */
export interface Outcome {
  /** What the receiver answered; null when it did not. */
  status: number | null
  /** Why it is not delivered, for people; null when it is. */
  error: string | null
}

/** How long a receiver may take to begin its answer, in ms. */
const PATIENCE_MS = 10_000

/**
 * Sends a message once. Redirects are not followed, as they would take what is signed for one receiver to another, and
 * nothing is read of the answer but its status. Never fails.
 *
 * @param stop ends the attempt early
 */
export async function post(
  message: { url: string; secret: string; id: string; body: string },
  at: Date,
  stop: AbortSignal,
): Promise<Outcome> {
  const { url, secret, body } = message
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'user-agent': `Trainyard/${VERSION}`,
        ...signatureHeaders(secret, message, at),
      },
      body,
      signal: AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]),
    })
    await response.body?.cancel()
    const { status, ok } = response
    return { status, error: ok ? null : `The receiver answered ${status}.` }
  } catch (error) {
    return { status: null, error: reasonOf(error) }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `The receiver did not answer within ${PATIENCE_MS / 1000} s.`
  // fetch says no more than that it failed.
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const code = 'code' in cause ? String(cause.code) : ''
  return cause.message || code || error.message
}
