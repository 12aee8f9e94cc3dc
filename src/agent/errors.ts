/** What the person who starts the agent can mend; the message is one line for them. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}

/** The server will not do what it was asked for, and would say so again. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  /** One of the server's codes, such as NOT_FOUND. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** There is no use of the server for the time being; trying later may work. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
  /** How long not to try again, in ms, as the server says. */
  readonly waitMs: number

  constructor(message: string, { waitMs = 0, cause }: { waitMs?: number; cause?: unknown } = {}) {
    super(message, { cause })
    this.waitMs = waitMs
  }
}

/** Whether a refusal says that the server does not know who is asking, or not as an agent of its own. */
export function isAboutRights(error: unknown): error is RefusedError {
  return error instanceof RefusedError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN')
}
