import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createEventStream } from './event-stream.ts'
import type { PassingAnswer } from './passing-answer.ts'
import type { Patience } from './patience.ts'
import { toWrite } from './small-parts.ts'
import type { Tally } from './tally.ts'
import { createWholeAnswer } from './whole-answer.ts'

/** What of the headers of a model server concerns the client; the rest is between it and us. */
const PASSED_HEADERS = ['content-type', 'content-encoding']

/** An answer and whom it goes to. */
export interface Relay {
  from: IncomingMessage
  to: ServerResponse
  answer: PassingAnswer
  tally: Tally
  patience: Patience
}

/** What there is to know of an answer that is going to pass. @param hideUsage whether the usage in a stream is for us alone */
export function passingAnswerOf(from: IncomingMessage, hideUsage: boolean): PassingAnswer {
  return isEventStream(from) ? createEventStream({ hideUsage }) : createWholeAnswer()
}

/**
 * Passes an answer on as it comes, no faster than the client takes it. The status and the headers go with the first
 * byte: until then the client can still be told that it went wrong. (Listens to events instead of iterating, which
 * takes half as long again for a short answer.)
 *
 * @throws what breaks it; the answer to the client is then left as it is
 */
export function relay({ from, to, answer, tally, patience }: Relay): Promise<void> {
  const isStream = isEventStream(from)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  from.on('data', (chunk: Buffer) => {
    patience.refresh()
    if (isStream) tally.seeEvent()
    if (write(answer.take(chunk))) return
    from.pause()
    patience.waitFor('client')
  })
  to.on('drain', () => {
    patience.waitFor('model server')
    from.resume()
  })
  from.on('end', () => {
    write(answer.end())
    to.end()
    resolve()
  })
  from.on('error', reject)
  return promise

  /** Whether the client can take more. */
  function write(part: Buffer): boolean {
    if (!to.headersSent) to.writeHead(from.statusCode ?? 200, headersOf(from, isStream))
    if (part.length === 0) return true
    const { data, encoding } = toWrite(part)
    return to.write(data, encoding)
  }
}

function isEventStream({ headers }: IncomingMessage): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '')
}

function headersOf({ headers }: IncomingMessage, isStream: boolean): OutgoingHttpHeaders {
  const passed: OutgoingHttpHeaders = isStream
    ? // Proxies such as nginx collect an answer unless they are told not to.
      { 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' }
    : { 'Cache-Control': 'no-store' }
  for (const name of isStream ? PASSED_HEADERS : [...PASSED_HEADERS, 'content-length']) {
    const value = headers[name]
    if (value !== undefined) passed[name] = value
  }
  return passed
}
