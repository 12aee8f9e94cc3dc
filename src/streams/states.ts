import { follow, type Guard } from './follow.ts'
import { createSharedReads, type SharedStream } from './shared-reads.ts'
import type { Signals } from './signals.ts'

/** How the things of a kind are looked at. */
export interface StateSource {
  signals: Signals
  /** Notified when the one of this id changed. */
  topicOf(id: string): string
  /** What watchers see of one: when it differs from what they saw, they are told. Null when there is none. */
  read(id: string): Promise<unknown>
}

/** The position of somebody who has seen no state. */
const NOTHING_SEEN = ''

/** Watches the states of the things of a kind: the latest counts, not every one in between. */
export function createStateWatcher({ signals, topicOf, read }: StateSource) {
  const reads = createSharedReads<string, string>({ signals })

  const stateOf = (id: string): SharedStream<string, string> => ({
    key: id,
    topic: topicOf(id),
    async read(seen) {
      const found = await read(id)
      const state = JSON.stringify(found)
      return {
        item: found !== null && state !== seen ? id : null,
        position: state,
        more: false,
        ended: found === null,
        bytes: 0,
      }
    },
  })

  return {
    /** The id at once and at every change; ends when it is gone. */
    one: (id: string, guard?: Guard): AsyncIterableIterator<string> =>
      reads.follow(stateOf(id), NOTHING_SEEN, guard),

    /**
     * Each of the ids that there are, then that of each one that changes.
     *
     * @param topic notified with the id of whichever changed
     * @param all the ids that there are
     */
    all(topic: string, all: () => Promise<string[]>): AsyncIterableIterator<string> {
      // Holds each once however often it changes, so a slow reader costs no more than there are.
      const pending = new Set<string>()
      let hasAll = false
      return follow<string, null>({
        signals,
        topic,
        from: null,
        onSignal: (id) => pending.add(id),
        async read() {
          if (!hasAll) {
            // Read only now that changes are listened to, so that none is made unseen in between.
            for (const id of await all()) pending.add(id)
            hasAll = true
          }
          for (const id of pending) {
            pending.delete(id)
            const { item } = await reads.read(stateOf(id), NOTHING_SEEN)
            if (item !== null) return { item, position: null, more: true, ended: false }
          }
          return { item: null, position: null, more: false, ended: false }
        },
      })
    },
  }
}
