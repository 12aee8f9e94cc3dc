import type { Logger } from 'pino'
import type { Signals } from '../../../streams/signals.ts'

/** How often is looked at what changed, in ms: what changes all the time costs one look. */
const PACE_MS = 250
/** How long to wait before looking again after something went wrong, in ms. */
const RETRY_MS = 1000
/** The most that is looked at together. */
const BATCH_SIZE = 200

/**
 * Looks at whatever is announced under a topic, many together. What is announced while it looks is looked at again,
 * and what could not be looked at, say for a full disk, too.
 *
 * @param look looks at the things of some ids
 */
export function gather(
  { signals, log, topic }: { signals: Signals; log: Logger; topic: string },
  look: (ids: string[]) => Promise<void>,
) {
  const pending = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let current: Promise<void> = Promise.resolve()
  let stopped = false
  let hasFailed = false
  const stopListening = signals.listen(topic, (id) => {
    if (id !== undefined) add([id])
  })

  function add(ids: Iterable<string>) {
    for (const id of ids) pending.add(id)
    schedule(PACE_MS)
  }

  function schedule(afterMs: number) {
    if (timer || stopped || pending.size === 0) return
    timer = setTimeout(() => {
      current = lookAtAll().finally(() => {
        timer = null
        schedule(hasFailed ? RETRY_MS : PACE_MS)
      })
    }, afterMs).unref()
  }

  async function lookAtAll() {
    while (pending.size > 0 && !stopped) {
      const ids = [...pending].slice(0, BATCH_SIZE)
      for (const id of ids) pending.delete(id)
      try {
        await look(ids)
        hasFailed = false
      } catch (error) {
        if (!hasFailed) log.error({ err: error }, 'alerts could not be brought up to date; trying again')
        hasFailed = true
        for (const id of ids) pending.add(id)
        return
      }
    }
  }

  return {
    /** Looks at these, soon. */
    add,
    async stop(): Promise<void> {
      stopped = true
      stopListening()
      if (timer) clearTimeout(timer)
      await current
    },
  }
}
