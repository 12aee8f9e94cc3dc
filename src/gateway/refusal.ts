import { z } from 'zod'
import { bodyOf, GatewayError } from './errors.ts'
import type { AnswerHead } from './model-servers.ts'

/** More of a refusal than this is not read, in bytes. */
const MAX_BYTES = 64 * 1024
/** Statuses by which a model server refuses us, not the client. */
const OURS = [401, 403, 407]

/** What the client is told when a model server refuses its request. */
export interface Refusal {
  status: number
  /** In OpenAI's shape. */
  body: object
  message: string
}

/** The shapes in which engines refuse: OpenAI's, FastAPI's `detail`, and those of older versions. */
const OpenAiError = z.object({ error: z.looseObject({ message: z.string() }) })
const OtherError = z.object({
  message: z.string().optional(),
  error: z.string().optional(),
  detail: z.unknown().optional(),
})

/** What a model server says when it refuses, as it comes. */
export interface RefusalText {
  take(chunk: Buffer): void
  /** What it has said so far: its beginning, where it is long. */
  text(): string
}

/** Collects it. */
export function createRefusalText(): RefusalText {
  const chunks: Buffer[] = []
  let size = 0
  return {
    take(chunk) {
      if (size < MAX_BYTES) chunks.push(chunk)
      size += chunk.length
    },
    text: () => Buffer.concat(chunks).subarray(0, MAX_BYTES).toString(),
  }
}

/** Understands the refusal of a model server, whatever shape it has. */
export function refusalOf({ status }: AnswerHead, text: string): Refusal {
  if (OURS.includes(status) || status < 400) {
    return refusal(new GatewayError(502, `The model server answered the gateway with status ${status}.`))
  }
  const json = jsonOf(text)
  const openAiError = OpenAiError.safeParse(json).data
  if (openAiError) return { status, body: openAiError, message: openAiError.error.message }
  const other = OtherError.safeParse(json).data
  const message = other?.message ?? other?.error ?? (other?.detail ? inWords(other.detail) : text.trim())
  return refusal(new GatewayError(status, message || `The model server refused with status ${status}.`))
}

function refusal({ problem }: GatewayError): Refusal {
  return { status: problem.status, body: bodyOf(problem), message: problem.message }
}

function inWords(detail: unknown): string {
  return typeof detail === 'string' ? detail : JSON.stringify(detail)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
