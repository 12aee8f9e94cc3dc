import { follow, type Guard } from './follow.ts'
import { createSharedReads, type SharedStream } from './shared-reads.ts'
import type { Signals } from './signals.ts'

/** Which one is to be looked at again: the same object for everybody who is told at the same time, so that it is looked at once. */
export interface StateChange {
  id: string
}

/** How the things of a kind are looked at. */
export interface StateSource<State> {
  signals: Signals
  /** Notified when the one of this id changed. */
  topicOf(id: string): string
  /** What watchers see of one: when it differs from what they saw, they are told. Null when there is none. */
  read(id: string): Promise<State | null>
  /** Whether no other state can follow; false for all unless given. */
  isLast?(state: State): boolean
}

/** The position of somebody who has seen no state. */
const NOTHING_SEEN = ''

/** Watches the states of the things of a kind: the latest counts, not every one in between. */
export function createStateWatcher<State>({
  signals,
  topicOf,
  read,
  isLast = () => false,
}: StateSource<State>) {
  const reads = createSharedReads<StateChange, string>({ signals })

  const stateOf = (id: string): SharedStream<StateChange, string> => ({
    key: id,
    topic: topicOf(id),
    async read(seen) {
      const found = await read(id)
      const state = JSON.stringify(found)
      return {
        item: found !== null && state !== seen ? { id } : null,
        position: state,
        more: false,
        ended: found === null || isLast(found),
        bytes: 0,
      }
    },
  })

  return {
    /** The one of an id at once and at every change; ends with its last state, and when it is gone. */
    one: (id: string, guard?: Guard): AsyncIterableIterator<StateChange> =>
      reads.follow(stateOf(id), NOTHING_SEEN, guard),

    /**
     * Each that there is, then each that changes. Of those that somebody may not see nothing should be delivered:
     * whoever resolves them does not find them.
     *
     * @param topic notified with the id of whichever changed
     * @param all the ids of those that there are
     * @param options.isOver whether none can follow any more; asked at every notification
     */
    all(
      topic: string,
      all: () => Promise<{ id: string }[]>,
      {
        guard,
        isOver = async () => false,
      }: { guard?: Guard | undefined; isOver?: () => Promise<boolean> } = {},
    ): AsyncIterableIterator<StateChange> {
      // Holds each once however often it changes, so a slow reader costs no more than there are.
      const pending = new Set<string>()
      let hasAll = false
      return follow<StateChange, null>({
        signals,
        topic,
        from: null,
        guard,
        onSignal: (id) => pending.add(id),
        async read() {
          if (!hasAll) {
            // Read only now that changes are listened to, so that none is made unseen in between.
            for (const { id } of await all()) pending.add(id)
            hasAll = true
          }
          for (const id of pending) {
            pending.delete(id)
            const { item } = await reads.read(stateOf(id), NOTHING_SEEN)
            if (item !== null) return { item, position: null, more: true, ended: false }
          }
          return { item: null, position: null, more: false, ended: await isOver() }
        },
      })
    },
  }
}
