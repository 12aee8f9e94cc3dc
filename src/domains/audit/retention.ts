import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'

/** How many events are removed in one transaction: other writes wait no longer than that takes. */
const BATCH_SIZE = 1000
const DAY_MS = 86_400_000

/** What the removal of old events needs. */
export interface RetentionDependencies {
  database: Database
  log: Logger
  /** How many days events are kept; 0 for ever. */
  auditDays: number
  now?: () => Date
  /** @default a day */
  everyMs?: number
}

/** Removes events whose time is over, at once and then daily. */
export function createAuditRetention(deps: RetentionDependencies) {
  const { database, log, auditDays, now = () => new Date(), everyMs = DAY_MS } = deps
  let timer: NodeJS.Timeout | null = null
  let current: Promise<void> = Promise.resolve()
  let stopped = false

  async function removeOld(): Promise<void> {
    const end = new Date(now().getTime() - auditDays * DAY_MS)
    let removed = 0
    for (;;) {
      if (stopped) return
      const { count } = await database.transaction(async (tx) => {
        const old = await tx.auditEvent.findMany({
          where: { createdAt: { lt: end } },
          select: { id: true },
          take: BATCH_SIZE,
        })
        return tx.auditEvent.deleteMany({ where: { id: { in: old.map(({ id }) => id) } } })
      })
      removed += count
      if (count < BATCH_SIZE) break
    }
    if (removed > 0) log.info({ removed, auditDays }, 'removed old audit events')
  }

  const tick = () => {
    // A full disk, say, is no reason to stop: they are removed the next time.
    current = removeOld().catch((error: unknown) => log.error({ err: error }, 'old audit events stay'))
  }

  return {
    start(): void {
      if (auditDays === 0) return
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
