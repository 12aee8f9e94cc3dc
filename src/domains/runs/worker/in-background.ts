/** Work that is done again and again beside something else. */
export interface BackgroundWork {
  /** Starts the work unless it is under way or was done just now. @throws what it failed with the last time */
  tick(): void
  /** Waits until it is not under way; never fails. */
  idle(): Promise<void>
  /** Waits until it is not under way. @throws what it failed with the last time */
  done(): Promise<void>
}

/** Does `work` at most once at a time, and no sooner than `pauseMs` after it was done. */
export function inBackground(work: () => Promise<void>, pauseMs: number): BackgroundWork {
  let current: Promise<void> | null = null
  let failure: { error: unknown } | null = null
  let next = 0

  const run = async () => {
    try {
      await work()
    } catch (error) {
      failure = { error }
    }
    current = null
    next = performance.now() + pauseMs
  }

  return {
    tick() {
      if (failure) throw failure.error
      if (!current && performance.now() >= next) current = run()
    },
    async idle() {
      await current
    },
    async done() {
      await current
      if (failure) throw failure.error
    },
  }
}
