/**
 * Nobody answered: there was no connection, or it broke, or the answer took too long. Whether the server has done
 * what it was asked is not known; later may work.
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** The server's answer says that something is wrong, which it would say again. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  /** What `extensions.code` says of each error. */
  readonly codes: string[]

  constructor(message: string, codes: string[]) {
    super(message)
    this.codes = codes
  }
}

/** What went wrong, with what was behind it: fetch says only that it failed, and tells why in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { message, cause } = error
  if (cause === undefined) return message
  // Of several addresses that were tried, each has its reason, and there is none for all.
  const inner = cause instanceof AggregateError ? cause.errors.map(reasonOf).join('; ') : reasonOf(cause)
  return inner === '' ? message : `${message}: ${inner}`
}
