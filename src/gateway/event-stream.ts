import { z } from 'zod'
import { type PassingAnswer, UNKNOWN_USAGE } from './passing-answer.ts'

/** An event larger than this passes without being looked at, in bytes; those that matter to us are small. */
const MAX_HELD_BYTES = 64 * 1024
/** What an event ends with. */
const BOUNDARIES = ['\n\n', '\r\n\r\n']
const LONGEST_BOUNDARY = 4

/** What of an event matters here. */
const Event = z.object({
  choices: z.array(z.unknown()).optional(),
  usage: z
    .object({ prompt_tokens: z.number().optional(), completion_tokens: z.number().optional() })
    .nullish(),
  error: z.object({ message: z.string() }).optional(),
})

/**
 * A stream of server-sent events. It passes in whole events: the last one waits until its end has come, so that an
 * error can follow a stream that breaks.
 *
 * @param options.hideUsage takes out the event that tells nothing but the usage, for which the client has not asked
 */
export function createEventStream({ hideUsage }: { hideUsage: boolean }): PassingAnswer {
  let held: Buffer = Buffer.alloc(0)
  /** Whether the beginning of the event that is held has gone to the client already. */
  let isCut = false
  let usage = UNKNOWN_USAGE
  let error: string | null = null

  function take(chunk: Buffer): Buffer {
    const data = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    const end = endOfEvents(data)
    if (end === 0) return hold(data)
    held = data.subarray(end)
    const events = data.subarray(0, end)
    const passed = examine(events)
    return held.length > MAX_HELD_BYTES ? Buffer.concat([passed, hold(held)]) : passed
  }

  /** Keeps an event that has not ended, unless it is too large. */
  function hold(data: Buffer): Buffer {
    const passed = data.length > MAX_HELD_BYTES ? data.length - LONGEST_BOUNDARY : 0
    if (passed > 0) isCut = true
    held = data.subarray(passed)
    return data.subarray(0, passed)
  }

  /** Looks at the events. @returns those that go to the client */
  function examine(events: Buffer): Buffer {
    if (isCut) {
      const start = startOfSecond(events)
      isCut = false
      return Buffer.concat([events.subarray(0, start), examine(events.subarray(start))])
    }
    // Nearly all are tokens: one search, and nothing is decoded.
    if (!events.includes('"usage"') && !events.includes('"error"')) return events
    const kept: string[] = []
    for (const event of events.toString().split(/(?<=\n\n|\r\n\r\n)/)) {
      if (!isToHide(event)) kept.push(event)
    }
    return Buffer.from(kept.join(''))
  }

  function isToHide(text: string): boolean {
    const event = parseEvent(text)
    if (!event) return false
    error ??= event.error?.message ?? null
    if (!event.usage) return false
    usage = {
      promptTokens: event.usage.prompt_tokens ?? null,
      completionTokens: event.usage.completion_tokens ?? null,
    }
    return hideUsage && event.choices?.length === 0
  }

  return {
    take,
    end() {
      const rest = held
      held = Buffer.alloc(0)
      return examine(rest)
    },
    breakNotice: (body) => `${isCut ? '\n\n' : ''}data: ${JSON.stringify(body)}\n\n`,
    usage: () => usage,
    error: () => error,
  }
}

/** Where the last event that is whole ends; 0 when none is. */
function endOfEvents(data: Buffer): number {
  const ends = BOUNDARIES.map((boundary) => {
    const at = data.lastIndexOf(boundary)
    return at === -1 ? 0 : at + boundary.length
  })
  return Math.max(...ends)
}

/** Where the first event ends, and the second begins. */
function startOfSecond(data: Buffer): number {
  const starts = BOUNDARIES.map((boundary) => {
    const at = data.indexOf(boundary)
    return at === -1 ? data.length : at + boundary.length
  })
  return Math.min(...starts)
}

function parseEvent(text: string): z.infer<typeof Event> | null {
  const data = /^data: ?(\{.*\})\s*$/m.exec(text)?.[1]
  if (data === undefined) return null
  try {
    return Event.safeParse(JSON.parse(data)).data ?? null
  } catch {
    return null
  }
}
