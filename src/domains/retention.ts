import type { Logger } from 'pino'
import type { Database, Transaction } from '../db/database.ts'

/** How much is removed in one transaction: other writes wait no longer than that takes. */
const BATCH_SIZE = 1000
const DAY_MS = 86_400_000

/** What is removed when its time is over. */
export interface RetentionOptions {
  database: Database
  log: Logger
  /** How many days it is kept; 0 for ever. */
  days: number
  /** What it is, in the plural, for the log. */
  what: string
  /**
   * Removes some of what is from before `end`, at most `limit`.
   *
   * @returns how much
   */
  remove(tx: Transaction, end: Date, limit: number): Promise<number>
  now?: () => Date
  /** @default a day */
  everyMs?: number
}

/** Removes what is old, at once and then daily. */
export function createRetention(options: RetentionOptions) {
  const { database, log, days, what, remove, now = () => new Date(), everyMs = DAY_MS } = options
  let timer: NodeJS.Timeout | null = null
  let current: Promise<void> = Promise.resolve()
  let stopped = false

  async function removeOld(): Promise<void> {
    const end = new Date(now().getTime() - days * DAY_MS)
    let removed = 0
    for (;;) {
      if (stopped) return
      const count = await database.transaction((tx) => remove(tx, end, BATCH_SIZE))
      removed += count
      if (count < BATCH_SIZE) break
    }
    if (removed > 0) log.info({ removed, days }, `removed old ${what}`)
  }

  const tick = () => {
    // A full disk, say, is no reason to stop: they are removed the next time.
    current = removeOld().catch((error: unknown) => log.error({ err: error }, `old ${what} stay`))
  }

  return {
    start(): void {
      if (days === 0) return
      tick()
      timer = setInterval(tick, everyMs).unref()
    },

    async stop(): Promise<void> {
      stopped = true
      if (timer) clearInterval(timer)
      await current
    },
  }
}
