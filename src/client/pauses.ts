/** How long to wait before trying again what failed, in ms: twice as long each time, up to a limit. */
export interface PauseLimits {
  firstMs: number
  longestMs: number
}

/** The pauses between attempts that fail. */
export interface Pauses {
  /** Waits for the next attempt, along with all who wait already; only until the signal is aborted, if it is. */
  wait(signal?: AbortSignal): Promise<void>
  /** It works again: what fails next is tried again soon. */
  reset(): void
  /** Things have changed: whoever waits tries at once. */
  skip(): void
}

/** Pauses that grow until `reset`. */
export function createPauses(limits: PauseLimits): Pauses {
  let failures = 0
  let current: { over: Promise<void>; end: () => void } | null = null

  function begin() {
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(end, pauseAfter(failures++, limits))
    function end() {
      clearTimeout(timer)
      current = null
      resolve()
    }
    return { over, end }
  }

  return {
    async wait(signal) {
      if (signal?.aborted) return
      current ??= begin()
      const aborted = Promise.withResolvers<void>()
      const abort = () => aborted.resolve()
      signal?.addEventListener('abort', abort)
      await Promise.race([current.over, aborted.promise])
      signal?.removeEventListener('abort', abort)
    },
    reset() {
      failures = 0
    },
    skip() {
      failures = 0
      current?.end()
    },
  }
}

/**
 * How long to wait after one more failure than these, in ms: shorter by up to a half by chance, so that those who
 * lost a server at the same time do not all come back at the same time.
 *
 * @param random from 0 to 1
 */
export function pauseAfter(
  failures: number,
  { firstMs, longestMs }: PauseLimits,
  random = Math.random(),
): number {
  return Math.min(firstMs * 2 ** failures, longestMs) * (1 - random / 2)
}
