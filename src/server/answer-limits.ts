import type { ServerResponse } from 'node:http'
import { GraphQLError } from 'graphql'
import type { Plugin } from 'graphql-yoga'
import type { Identification } from './identify.ts'
import type { NodeRequest } from './node-request.ts'

/** The largest answer, in bytes: a page of log lines of the greatest length has seven million. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024
/** What may wait in this process for one user, or one run, to read it from connections of HTTP, in bytes. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024
/** How long a client may take to read an answer, in ms. */
const READ_TIMEOUT_MS = 120_000

/**
 * About how many bytes a value has as JSON, more where characters are escaped. Stops counting at the maximum:
 * what is found to be too large shall not be gone through.
 */
export function sizeOf(value: unknown, maximum = MAX_ANSWER_BYTES): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + 2
  if (typeof value !== 'object' || value === null) return 5
  let bytes = 2
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += 1 + sizeOf(item, maximum - bytes)
      if (bytes > maximum) return bytes
    }
    return bytes
  }
  for (const key in value) {
    bytes += key.length + 4 + sizeOf(Reflect.get(value, key), maximum - bytes)
    if (bytes > maximum) return bytes
  }
  return bytes
}

/** The error in place of an answer that is too large to be sent. */
export function answerTooLarge(): GraphQLError {
  return new GraphQLError(
    `The answer is too large: at most ${MAX_ANSWER_BYTES} bytes. Ask for fewer fields, or smaller pages.`,
    { extensions: { code: 'ANSWER_TOO_LARGE', maximum: MAX_ANSWER_BYTES, http: { status: 400 } } },
  )
}

/** Bounds what clients on HTTP leave unread: they are cut after a while, and meanwhile get nothing more. */
export function useReadAnswers(identityOf: Identification['identityOf']): Plugin<object, NodeRequest> {
  const unread = new Map<string, Set<ServerResponse>>()

  return {
    async onRequestParse({ serverContext: { req, res } }) {
      const { principal } = await identityOf(req)
      if (!principal) return
      const key = principal.kind === 'user' ? principal.userId : principal.runId
      const answers = unread.get(key) ?? new Set()
      let bytes = 0
      for (const answer of answers) bytes += answer.writableLength
      if (bytes > MAX_UNREAD_BYTES) throw unreadAnswers()
      if (res.closed) return
      unread.set(key, answers.add(res))
      res.once('close', () => {
        answers.delete(res)
        if (answers.size === 0 && unread.get(key) === answers) unread.delete(key)
      })
    },
    onResponse({ serverContext: { res } }) {
      const cut = setTimeout(() => res.destroy(), READ_TIMEOUT_MS)
      cut.unref()
      res.once('close', () => clearTimeout(cut))
    },
  }
}

function unreadAnswers(): GraphQLError {
  return new GraphQLError('Too many answers wait to be read: read them, or end their requests.', {
    extensions: { code: 'RATE_LIMITED', http: { status: 429 } },
  })
}
