import { type PassingAnswer, type TokenUsage, UNKNOWN_USAGE } from './passing-answer.ts'

/** How much of the beginning and the end of an answer is looked through for its usage, in bytes. */
const KEPT_BYTES = 16 * 1024

/**
 * An answer of one piece: JSON, of any size. It passes as it is. Its usage is looked for in its beginning and its
 * end, which is where engines write it: an answer may be a hundred megabytes of embeddings.
 */
export function createWholeAnswer(): PassingAnswer {
  let start: Buffer | null = null
  let end: Buffer = Buffer.alloc(0)
  return {
    take(chunk) {
      start ??= chunk.subarray(0, KEPT_BYTES)
      end = end.length === 0 ? chunk : Buffer.concat([end, chunk.subarray(-KEPT_BYTES)])
      end = end.subarray(-KEPT_BYTES)
      return chunk
    },
    end: () => Buffer.alloc(0),
    usage: () => usageIn(end.toString()) ?? usageIn(start?.toString() ?? '') ?? UNKNOWN_USAGE,
    error: () => null,
    breakNotice: () => null,
  }
}

/** The usage in a piece of JSON. Inside of a string, where a model may write anything, quotes have a backslash. */
function usageIn(json: string): TokenUsage | null {
  const usage = /(?<!\\)"usage"\s*:\s*\{(.*)/s.exec(json)?.[1]
  if (usage === undefined) return null
  return {
    promptTokens: countIn(usage, /"prompt_tokens"\s*:\s*(\d+)/),
    completionTokens: countIn(usage, /"completion_tokens"\s*:\s*(\d+)/),
  }
}

function countIn(json: string, pattern: RegExp): number | null {
  const digits = pattern.exec(json)?.[1]
  return digits === undefined ? null : Number(digits)
}
