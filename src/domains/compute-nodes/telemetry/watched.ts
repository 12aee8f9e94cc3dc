import type { Signals } from '../../../streams/signals.ts'
import { nodeTopics } from '../topics.ts'

/** For so long after somebody looked at what a node measures it counts as watched, in ms. */
const LINGER_MS = 10_000

/** How often a node samples itself while somebody watches, and otherwise, in seconds. */
const WATCHED_PACE_SECONDS = 2
const PACE_SECONDS = 15

export type Watched = ReturnType<typeof createWatched>

/** Knows which nodes somebody watches: those sample more often. */
export function createWatched({ signals, lingerMs = LINGER_MS }: { signals: Signals; lingerMs?: number }) {
  /** How many streams of each node are open. */
  const open = new Map<string, number>()
  /** Runs for a while after somebody looked. */
  const timers = new Map<string, NodeJS.Timeout>()

  const isWatched = (nodeId: string) => open.has(nodeId) || timers.has(nodeId)

  function change(nodeId: string, work: () => void) {
    const before = isWatched(nodeId)
    work()
    if (isWatched(nodeId) !== before) signals.notify(nodeTopics.orders(nodeId))
  }

  function linger(nodeId: string) {
    const running = timers.get(nodeId)
    if (running) {
      running.refresh()
      return
    }
    const end = () => change(nodeId, () => timers.delete(nodeId))
    timers.set(nodeId, setTimeout(end, lingerMs).unref())
  }

  return {
    /** How often a node is to sample itself now, in seconds; nodeTopics.orders tells when that changes. */
    secondsOf: (nodeId: string): number => (isWatched(nodeId) ? WATCHED_PACE_SECONDS : PACE_SECONDS),

    /** Somebody looked once. */
    look: (nodeId: string): void => change(nodeId, () => linger(nodeId)),

    /** Somebody watches until the returned function is called. */
    watch(nodeId: string): () => void {
      change(nodeId, () => open.set(nodeId, (open.get(nodeId) ?? 0) + 1))
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        change(nodeId, () => {
          const left = (open.get(nodeId) ?? 1) - 1
          if (left > 0) open.set(nodeId, left)
          else open.delete(nodeId)
          // Who comes back at once, as after a lost connection, finds it still going.
          if (left === 0) linger(nodeId)
        })
      }
    },
  }
}
