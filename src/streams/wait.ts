import type { Signals } from './signals.ts'

/**
 * Asks, now and at every notification of a topic, until the answer is there.
 *
 * @returns the answer; null when it is not there in time
 * @throws the reason of `signal` when that aborts
 */
export async function waitFor<T>(
  options: { signals: Signals; topic: string; timeoutMs: number; signal?: AbortSignal },
  ask: () => Promise<T | null>,
): Promise<T | null> {
  const { signals, topic, timeoutMs, signal } = options
  signal?.throwIfAborted()
  // Mostly it is there, and then there is nothing to listen to.
  const first = await ask()
  if (first !== null) return first
  const deadline = performance.now() + timeoutMs
  let isNews = false
  let wake: () => void = () => undefined
  const tell = () => {
    isNews = true
    wake()
  }
  const stopListening = signals.listen(topic, tell)
  const timer = setTimeout(tell, timeoutMs)
  signal?.addEventListener('abort', tell)
  try {
    for (;;) {
      signal?.throwIfAborted()
      isNews = false
      const answer = await ask()
      if (answer !== null) return answer
      if (performance.now() >= deadline) return null
      if (!isNews) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    stopListening()
    clearTimeout(timer)
    signal?.removeEventListener('abort', tell)
  }
}
