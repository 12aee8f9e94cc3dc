import type { ExecutionWish, OrderFragment } from '../generated/operations.ts'
import type { OutputOffsets } from './output.ts'

/** Wishes only go on: one that is older than the last arrives when an answer is late. */
const RANK: Record<ExecutionWish, number> = { RUN: 0, END: 1, DISCARD: 2 }

/** What is to be done with one execution, as it was last heard. */
export interface OrderInbox {
  /** What is to be done now. */
  order(): Pick<OrderFragment, 'executionId' | 'wish' | 'graceSeconds' | 'wasStarted'>
  /** How much of the output the server has. */
  offsets(): OutputOffsets
  /** Aborted when its processes are to end, or it is to be discarded. */
  ended: AbortSignal
  /** Aborted when it is to be discarded. */
  discarded: AbortSignal
  /** An order was heard. */
  update(order: OrderFragment): void
  /** The answer to a report was heard: an order that also tells what has arrived. */
  answer(order: OrderFragment): void
  /** Waits for something else to be done; or until the signal is aborted. */
  changed(signal: AbortSignal): Promise<void>
}

/** @param first the order by which the execution became known */
export function createOrderInbox(first: OrderFragment): OrderInbox {
  const ending = new AbortController()
  const discarding = new AbortController()
  const waiting = new Set<() => void>()
  let { wish, graceSeconds, wasStarted } = first
  let offsets: OutputOffsets = first

  function take(order: OrderFragment): void {
    wasStarted ||= order.wasStarted
    if (RANK[order.wish] < RANK[wish]) return
    const isNews = order.wish !== wish || order.graceSeconds !== graceSeconds
    ;({ wish, graceSeconds } = order)
    announce()
    if (isNews) for (const wake of waiting) wake()
  }

  function announce(): void {
    if (wish !== 'RUN') ending.abort()
    if (wish === 'DISCARD') discarding.abort()
  }

  announce()
  return {
    order: () => ({ executionId: first.executionId, wish, graceSeconds, wasStarted }),
    offsets: () => offsets,
    ended: ending.signal,
    discarded: discarding.signal,
    update: take,
    answer(order) {
      offsets = order
      take(order)
    },
    async changed(signal) {
      if (signal.aborted) return
      await new Promise<void>((resolve) => {
        const end = () => {
          waiting.delete(end)
          signal.removeEventListener('abort', end)
          resolve()
        }
        waiting.add(end)
        signal.addEventListener('abort', end)
      })
    },
  }
}
