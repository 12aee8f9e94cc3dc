/**
 * Wake-ups inside this process: "something changed about this topic", at most about which id, never what.
 * Whoever is woken reads the rows, which are the truth; so a wake-up may come once for many changes.
 */
export interface Signals {
  /** Wakes everyone who listens to the topic. */
  notify(topic: string, id?: string): void
  /** Calls back at every notification until the returned function is called. */
  listen(topic: string, listener: (id?: string) => void): () => void
}

/** Signals between the parts of one server. */
export function createSignals(): Signals {
  const listeners = new Map<string, Set<(id?: string) => void>>()
  return {
    notify(topic, id) {
      for (const listener of [...(listeners.get(topic) ?? [])]) listener(id)
    },
    listen(topic, listener) {
      const those = listeners.get(topic) ?? new Set()
      listeners.set(topic, those.add(listener))
      return () => {
        those.delete(listener)
        if (those.size === 0 && listeners.get(topic) === those) listeners.delete(topic)
      }
    },
  }
}
