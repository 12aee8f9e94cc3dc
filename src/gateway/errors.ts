import type { ServerResponse } from 'node:http'
import { DomainError, type ErrorCode } from '../errors.ts'

/** What a client of OpenAI's API is told when something goes wrong. */
export interface Problem {
  status: number
  message: string
  /** Whose fault it is, in OpenAI's words. */
  type: 'invalid_request_error' | 'requests' | 'server_error'
  /** For programs; null where OpenAI has none either. */
  code: string | null
  /** The parameter of the request that is wrong. */
  param: string | null
}

/** Something that the gateway itself refuses or cannot do. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly problem: Problem

  constructor(status: number, message: string, { code, param }: { code?: string; param?: string } = {}) {
    super(message)
    this.problem = problemWith(status, message, code, param)
  }
}

/** How a request is counted of which the client did not wait for the end; nginx has named it so. */
export const CLIENT_LEFT = 499

/** The client is gone: there is nobody to tell. */
export function clientLeft(): GatewayError {
  return new GatewayError(CLIENT_LEFT, 'The client left before the end.')
}

/** The token of a request that is under way has ended. */
export function rightsEnded(): GatewayError {
  return new GatewayError(401, 'The API token has ended, or its rights have changed.', {
    code: 'invalid_api_key',
  })
}

/** How the codes of our own errors are told in OpenAI's terms. */
const DOMAIN_PROBLEMS: Record<ErrorCode, { status: number; code?: string; param?: string }> = {
  VALIDATION_FAILED: { status: 400 },
  NOT_FOUND: { status: 404, code: 'model_not_found', param: 'model' },
  CONFLICT: { status: 409 },
  PRECONDITION_FAILED: { status: 409 },
  UNAVAILABLE: { status: 503, code: 'model_unavailable' },
  UNAUTHENTICATED: { status: 401, code: 'invalid_api_key' },
  FORBIDDEN: { status: 403, code: 'insufficient_permissions' },
}

/** What the client may know of an error; null when it is a defect, of which it may know nothing. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof GatewayError) return error.problem
  if (!(error instanceof DomainError)) return null
  const { status, code, param } = DOMAIN_PROBLEMS[error.code]
  return problemWith(status, error.message, code, param)
}

/** What the client is told of a defect. */
export const DEFECT: Problem = problemWith(500, 'Something went wrong in the server; its log says what.')

/** An error in OpenAI's shape. */
export function bodyOf({ message, type, code, param }: Problem): { error: Omit<Problem, 'status'> } {
  return { error: { message, type, param, code } }
}

/** Answers with an error in OpenAI's shape. */
export function sendProblem(res: ServerResponse, problem: Problem): void {
  if (problem.status === 401) res.setHeader('WWW-Authenticate', 'Bearer')
  sendJson(res, problem.status, bodyOf(problem))
}

/** Answers with JSON of one piece. */
export function sendJson(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  })
  res.end(text)
}

function problemWith(status: number, message: string, code?: string, param?: string): Problem {
  const type = status >= 500 ? 'server_error' : status === 429 ? 'requests' : 'invalid_request_error'
  return { status, message, type, code: code ?? null, param: param ?? null }
}
