import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type AnswerHead, type Generation, generate, newHead, type Shape } from './answer.ts'
import type { ModelServerOptions } from './options.ts'
import type { RequestBody } from './request.ts'

/** Answers with the generated text, of one piece or as a stream of server-sent events, whichever was asked for. */
export async function sendGeneration(
  res: ServerResponse,
  shape: Shape,
  body: RequestBody,
  { name, tokensPerSecond, firstTokenMs }: ModelServerOptions,
): Promise<void> {
  const generation = generate(body)
  const left = new AbortController()
  res.once('close', () => left.abort())
  try {
    const tokens = paced(generation, { tokensPerSecond, firstTokenMs, signal: left.signal })
    if (body.stream) await sendStream(res, shape, newHead(name), body, generation, tokens)
    else await sendWhole(res, shape, newHead(name), body, generation, tokens)
  } catch (error) {
    if (!left.signal.aborted) throw error
  }
}

async function sendWhole(
  res: ServerResponse,
  shape: Shape,
  head: AnswerHead,
  { metadata }: RequestBody,
  generation: Generation,
  tokens: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
  if (metadata.break_after !== undefined) return void res.destroy()
  if (metadata.silent_after !== undefined) return
  let text = ''
  for await (const token of tokens) text += token
  const { usage, ...answer } = { usage: undefined, ...shape.whole(head, text, generation) }
  sendJson(res, 200, metadata.usage === 'none' ? answer : { ...answer, usage })
}

async function sendStream(
  res: ServerResponse,
  shape: Shape,
  head: AnswerHead,
  { metadata, stream_options }: RequestBody,
  generation: Generation,
  tokens: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
  const send = metadata.split === 'bytes' ? sendByteByByte : sendAtOnce
  const sendEvent = (event: object) => send(res, `data: ${JSON.stringify(event)}\n\n`)
  if (metadata.break_after === 0) return void res.destroy()
  res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache' })
  let sent = 0
  for await (const token of tokens) {
    const opening = sent === 0 ? shape.opening(head) : null
    if (opening) await sendEvent(opening)
    await sendEvent(shape.token(head, token))
    sent++
    if (sent === metadata.break_after) {
      await nextTurn() // in which what is written goes out
      return void res.destroy()
    }
    if (sent === metadata.silent_after) return
  }
  await sendEvent(shape.closing(head, generation.finishReason))
  if (stream_options?.include_usage && metadata.usage !== 'none')
    await sendEvent(shape.usage(head, generation))
  await send(res, 'data: [DONE]\n\n')
  res.end()
}

/** Waits while the reader is slower than what is sent. */
async function sendAtOnce(res: ServerResponse, part: string | Buffer): Promise<void> {
  if (!res.write(part)) await drained(res)
}

async function sendByteByByte(res: ServerResponse, text: string): Promise<void> {
  for (const byte of Buffer.from(text)) {
    await sendAtOnce(res, Buffer.of(byte))
    await nextTurn()
  }
}

async function drained(res: ServerResponse): Promise<void> {
  const settled = new AbortController()
  const closed = once(res, 'close', { signal: settled.signal }).then(() => {
    throw new Error('The client has left.')
  })
  try {
    await Promise.race([once(res, 'drain', { signal: settled.signal }), closed])
  } finally {
    settled.abort()
    closed.catch(() => undefined)
  }
}

/** Tokens at the speed of a model: each is due at its own time, so that a late one does not delay the rest. */
async function* paced(
  { tokens }: Generation,
  pace: { tokensPerSecond: number | null; firstTokenMs: number; signal: AbortSignal },
): AsyncGenerator<string> {
  let due = performance.now() + pace.firstTokenMs
  for (const token of tokens) {
    const wait = due - performance.now()
    if (wait > 0) await sleep(wait, undefined, { signal: pace.signal })
    pace.signal.throwIfAborted()
    yield token
    if (pace.tokensPerSecond !== null) due += 1000 / pace.tokensPerSecond
  }
}

/** Answers with JSON of one piece. */
export function sendJson(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  res.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
  res.end(text)
}
