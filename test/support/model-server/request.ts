import type { IncomingMessage } from 'node:http'
import { z } from 'zod'

const Text = z.union([z.string(), z.array(z.object({ text: z.string().optional() })), z.null()])

/** What a client may order this once, in `metadata`, whose values are strings in OpenAI's API. */
const Behaviour = z.object({
  /** Refuses with this status and an error in OpenAI's shape. */
  status: z.coerce.number().optional(),
  /** Refuses with 500 and this text, as an engine that is quite broken does. */
  plain_error: z.string().optional(),
  /** Cuts the connection after so many tokens; 0 before it answers anything. */
  break_after: z.coerce.number().optional(),
  /** Says nothing more after so many tokens, and keeps the connection. */
  silent_after: z.coerce.number().optional(),
  /** Makes every token so many bytes long. */
  token_bytes: z.coerce.number().optional(),
  /** `bytes` sends every byte of a stream in a packet of its own. */
  split: z.enum(['bytes']).optional(),
  /** `none` never tells the usage. */
  usage: z.enum(['none']).optional(),
})

const RequestBody = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: Text.optional() })).optional(),
  prompt: z.string().optional(),
  input: z.union([z.string(), z.array(z.string())]).optional(),
  encoding_format: z.enum(['float', 'base64']).optional(),
  max_tokens: z.number().nullish(),
  max_completion_tokens: z.number().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  metadata: Behaviour.default({}),
})

/** What is asked of the model. */
export type RequestBody = z.infer<typeof RequestBody>

/** A request that this server refuses. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string | null

  constructor(status: number, message: string, code: string | null = null) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** Reads the body of a request. @throws Refusal when it is not what OpenAI's API takes */
export async function readRequest(req: IncomingMessage): Promise<{ text: string; body: RequestBody }> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  const parsed = RequestBody.safeParse(jsonOf(text))
  if (!parsed.success) throw new Refusal(400, z.prettifyError(parsed.error))
  return { text, body: parsed.data }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(400, 'The body is not JSON.')
  }
}

/** What the last message says, or the prompt. */
export function promptOf({ messages, prompt }: RequestBody): string {
  const content = messages?.at(-1)?.content ?? prompt ?? ''
  return typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join('')
}
