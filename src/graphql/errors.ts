import { PothosValidationError } from '@pothos/core'
import { GraphQLError } from 'graphql'
import {
  ConflictError,
  DomainError,
  type FieldIssue,
  NotFoundError,
  PasswordChangeRequiredError,
  PreconditionFailedError,
  UnavailableError,
  ValidationError,
} from '../errors.ts'
import { asExpected } from '../outage.ts'
import { builder } from './builder.ts'

const ErrorInterface = builder.interfaceRef<DomainError>('Error').implement({
  description: 'What went wrong. Every error of a mutation has these fields.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description:
        'Stable, for programs: VALIDATION_FAILED, NOT_FOUND, CONFLICT, PRECONDITION_FAILED or UNAVAILABLE.',
    }),
    message: t.exposeString('message', { description: 'For people, in English.' }),
  }),
})

const FieldIssueType = builder.objectRef<FieldIssue>('FieldIssue').implement({
  description: 'One thing wrong with one part of an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description:
        'The way from the input to the part, list positions included; empty for the input as a whole.',
    }),
    message: t.exposeString('message', { description: 'What is wrong with it.' }),
  }),
})

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is not acceptable as it stands; nothing was changed.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.field({
      type: [FieldIssueType],
      description: 'Everything that is wrong.',
      resolve: (error) => error.issues,
    }),
  }),
})

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'Something that the input names does not exist, or not for you.',
  interfaces: [ErrorInterface],
})

builder.objectType(ConflictError, {
  name: 'ConflictError',
  description:
    'The request contradicts the present state: a name is taken, a run is over, something is in use.',
  interfaces: [ErrorInterface],
})

builder.objectType(PreconditionFailedError, {
  name: 'PreconditionFailedError',
  description: 'Something that must be there first is not, such as the dataset that a project names.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    missing: t.exposeStringList('missing', { description: 'What is missing, e.g. "dataset arithmetic".' }),
  }),
})

builder.objectType(UnavailableError, {
  name: 'UnavailableError',
  description:
    'Something cannot be had right now, such as room on the disk of the server; trying later may work.',
  interfaces: [ErrorInterface],
})

/** Every error that a union of results has. */
export const ERROR_TYPES = [
  ValidationError,
  NotFoundError,
  ConflictError,
  PreconditionFailedError,
  UnavailableError,
]

/**
 * The options that make a mutation return a union of what it made and the errors. Every union has all of
 * them, so that one fragment of a client serves all its mutations.
 *
 * @example errors: resultUnion('StartRunResult', 'The queued run, or why there is none.')
 */
export function resultUnion(name: string, description: string) {
  return {
    directResult: true as const,
    types: ERROR_TYPES,
    union: { name, description },
  }
}

/** What programs get of an error besides its code. */
function detailsOf(error: DomainError): Record<string, unknown> {
  if (error instanceof ValidationError) return { issues: error.issues }
  if (error instanceof PasswordChangeRequiredError) return { reason: error.reason }
  return {}
}

/**
 * An expected error as clients get it at the top level of a response, with its code in `extensions`;
 * null for one that nobody expected, which must not be shown.
 */
export function toClientError(error: unknown): GraphQLError | null {
  const cause = asExpected(error instanceof GraphQLError ? (error.originalError ?? error) : error)
  const place = error instanceof GraphQLError ? { nodes: error.nodes ?? null, path: error.path ?? null } : {}
  if (cause instanceof DomainError) {
    return new GraphQLError(cause.message, {
      ...place,
      extensions: { code: cause.code, ...detailsOf(cause) },
    })
  }
  if (cause instanceof PothosValidationError) {
    return new GraphQLError(cause.message, { ...place, extensions: { code: 'VALIDATION_FAILED' } })
  }
  // What graphql-js itself says of variables and arguments, whatever a scalar threw underneath.
  const aboutInput = /^(Variable "\$|Argument ")/
  if (error instanceof GraphQLError && aboutInput.test(error.message)) {
    return new GraphQLError(error.message, { ...place, extensions: { code: 'BAD_USER_INPUT' } })
  }
  return null
}
