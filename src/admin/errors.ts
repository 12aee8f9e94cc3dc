/** A command cannot be done; the message says why in one line, for the operator. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
}
