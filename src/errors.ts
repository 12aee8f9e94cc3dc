/** One thing wrong with one part of an input; `path` leads from the input's root to it. */
export interface FieldIssue {
  path: string[]
  message: string
}

/** What every error that a caller may expect has: a stable `code` from a closed set and a message for people. */
export abstract class DomainError extends Error {
  abstract readonly code: ErrorCode
}

/** The closed set of codes; clients switch on them. */
export type ErrorCode =
  | 'VALIDATION_FAILED'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'PRECONDITION_FAILED'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'

/** The input is not acceptable as it stands; `issues` says where and why. */
export class ValidationError extends DomainError {
  override readonly name = 'ValidationError'
  readonly code = 'VALIDATION_FAILED'
  readonly issues: FieldIssue[]

  constructor(issues: FieldIssue[]) {
    super(
      issues
        .map((issue) => (issue.path.length > 0 ? `${issue.path.join('.')}: ` : '') + issue.message)
        .join('; '),
    )
    this.issues = issues
  }

  /** The usual case: one issue with one field. */
  static at(path: string, message: string): ValidationError {
    return new ValidationError([{ path: path === '' ? [] : path.split('.'), message }])
  }
}

/** The thing does not exist, or the caller may not know that it does. */
export class NotFoundError extends DomainError {
  override readonly name = 'NotFoundError'
  readonly code = 'NOT_FOUND'

  constructor(what: string, ref: string) {
    super(`There is no ${what} ${JSON.stringify(ref)}.`)
  }
}

/** The request contradicts the present state: a name is taken, a run is already over. */
export class ConflictError extends DomainError {
  override readonly name = 'ConflictError'
  readonly code = 'CONFLICT'
}

/** Something that must be there first is not; `missing` names each. */
export class PreconditionFailedError extends DomainError {
  override readonly name = 'PreconditionFailedError'
  readonly code = 'PRECONDITION_FAILED'
  readonly missing: string[]

  constructor(message: string, missing: string[]) {
    super(message)
    this.missing = missing
  }
}

/** A resource or another system cannot be had right now; trying later may work. */
export class UnavailableError extends DomainError {
  override readonly name = 'UnavailableError'
  readonly code = 'UNAVAILABLE'
}

/** The caller did not say who they are, or no longer validly. */
export class UnauthenticatedError extends DomainError {
  override readonly name = 'UnauthenticatedError'
  readonly code = 'UNAUTHENTICATED'
}

/** The caller is known but may not do this. */
export class ForbiddenError extends DomainError {
  override readonly name: string = 'ForbiddenError'
  readonly code = 'FORBIDDEN'
}

/** The caller may do nothing until they have set a password of their own. */
export class PasswordChangeRequiredError extends ForbiddenError {
  override readonly name = 'PasswordChangeRequiredError'
  /** For clients, which then ask for a new password. */
  readonly reason = 'PASSWORD_CHANGE_REQUIRED'

  constructor() {
    super('Set a password of your own first: changePassword.')
  }
}
