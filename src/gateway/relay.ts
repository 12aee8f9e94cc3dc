import type { ServerResponse } from 'node:http'
import { createEventStream } from './event-stream.ts'
import type { AnswerHead, AnswerReader } from './model-servers.ts'
import type { PassingAnswer } from './passing-answer.ts'
import type { Patience } from './patience.ts'
import { toWrite } from './small-parts.ts'
import type { Tally } from './tally.ts'
import { createWholeAnswer } from './whole-answer.ts'

/** What of the headers of a model server concerns the client; the rest is between it and us. */
const PASSED_HEADERS = ['content-type', 'content-encoding']
/** With an answer of one piece, how long it is. */
const PASSED_WITH_WHOLE = [...PASSED_HEADERS, 'content-length']

/** An answer and whom it goes to. */
export interface Relay {
  head: AnswerHead
  /** Lets the model server go on. */
  resume: () => void
  to: ServerResponse
  answer: PassingAnswer
  tally: Tally
  patience: Patience
}

/** What there is to know of an answer that is going to pass. @param hideUsage whether the usage in a stream is for us alone */
export function passingAnswerOf(head: AnswerHead, hideUsage: boolean): PassingAnswer {
  return isEventStream(head) ? createEventStream({ hideUsage }) : createWholeAnswer()
}

/**
 * Passes an answer on as it comes, no faster than the client takes it. The status and the headers go with the first
 * byte: until then the client can still be told that it went wrong.
 */
export function relay({ head, resume, to, answer, tally, patience }: Relay): AnswerReader {
  const isStream = isEventStream(head)
  const goOn = () => {
    patience.waitFor('model server')
    resume()
  }
  return {
    take(chunk) {
      patience.refresh()
      if (isStream) tally.seeEvent()
      if (write(answer.take(chunk))) return true
      patience.waitFor('client')
      to.once('drain', goOn)
      return false
    },
    end() {
      write(answer.end())
      to.end()
    },
  }

  /** Whether the client can take more. */
  function write(part: Buffer): boolean {
    if (!to.headersSent) writeHead(to, head, isStream)
    if (part.length === 0) return true
    const { data, encoding } = toWrite(part)
    return to.write(data, encoding)
  }
}

function isEventStream({ headers }: AnswerHead): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '')
}

/** (One by one: a list of headers is looked through again for each that is set already.) */
function writeHead(to: ServerResponse, { status, headers }: AnswerHead, isStream: boolean): void {
  to.setHeader('Cache-Control', isStream ? 'no-cache' : 'no-store')
  // Proxies such as nginx collect an answer unless they are told not to.
  if (isStream) to.setHeader('X-Accel-Buffering', 'no')
  for (const name of isStream ? PASSED_HEADERS : PASSED_WITH_WHOLE) {
    const value = headers[name]
    if (value !== undefined) to.setHeader(name, value)
  }
  to.writeHead(status)
}
