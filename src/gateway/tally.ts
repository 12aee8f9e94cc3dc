import type { RequestUsage } from './model-directory.ts'
import { type PassingAnswer, UNKNOWN_USAGE } from './passing-answer.ts'

/** Keeps count of one request while it goes on. */
export interface Tally {
  /** The model server has answered; what it answers with is on its way. */
  begin(status: number, answer: PassingAnswer): void
  /** An event of a stream has come; the first one counts. */
  seeEvent(): void
  /** It has come to nothing, or broken in the middle. */
  fail(status: number, error: string): void
  /** What it came to, now that it is over. */
  total(): RequestUsage
}

/** @param arrivedAt when the request came, by `performance.now()` */
export function createTally(arrivedAt: number): Tally {
  let status = 0
  let error: string | null = null
  let firstEventAt: number | null = null
  let answer: PassingAnswer | null = null
  return {
    begin(begunWith, passing) {
      status = begunWith
      answer = passing
    },
    seeEvent() {
      firstEventAt ??= performance.now()
    },
    fail(failedWith, why) {
      status = failedWith
      error = why
    },
    total: () => ({
      status,
      ...(answer?.usage() ?? UNKNOWN_USAGE),
      timeToFirstTokenMs: firstEventAt === null ? null : firstEventAt - arrivedAt,
      durationMs: performance.now() - arrivedAt,
      error: error ?? answer?.error() ?? null,
    }),
  }
}
