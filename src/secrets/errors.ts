/** The secrets cannot be used; the message is one line for the operator and holds nothing of a secret. */
export class SecretsError extends Error {
  override readonly name = 'SecretsError'
}
