import { readdir } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { OrdersFragment } from '../generated/operations.ts'
import { attendExecution, type ExecutionDependencies } from './execution.ts'
import { createOrderInbox, type OrderInbox } from './order-inbox.ts'

/** Does what the server wants done, one worker for each execution. */
export interface Reconciler {
  /**
   * Takes what there is to do.
   *
   * @param askedAt when it was asked for, by performance.now(); null where that is not known
   */
  apply(orders: OrdersFragment, askedAt: number | null): void
  /** Leaves everything as it is; resolves when nothing is done any more. */
  stop(): Promise<void>
}

interface Worker {
  inbox: OrderInbox
  abort: AbortController
  done: Promise<void>
  /** When the server last named the execution. */
  namedAt: number
}

/** Goes by what lies in the folders of the executions, so it continues where the last agent stopped. */
export function createReconciler(deps: ExecutionDependencies & { log: Logger }): Reconciler {
  const { log } = deps
  const workers = new Map<string, Worker>()
  let isFirst = true

  function begin(order: OrdersFragment['executions'][number]): void {
    const inbox = createOrderInbox(order)
    const abort = new AbortController()
    const { executionId } = order
    const done = attendExecution(deps, inbox, abort.signal)
      .catch((error: unknown) =>
        log.error({ err: error, executionId }, 'an execution is not attended any more'),
      )
      .finally(() => workers.delete(executionId))
    workers.set(executionId, { inbox, abort, done, namedAt: performance.now() })
  }

  /** What the server does not name is none of our business. */
  async function tellOfStrangers(named: Set<string>): Promise<void> {
    const left = (await readdir(deps.executions)).filter((name) => !named.has(name))
    if (left.length > 0)
      log.warn({ executionIds: left }, 'the server does not name these: they are left alone')
  }

  return {
    apply({ executions }, askedAt) {
      const named = new Set(executions.map(({ executionId }) => executionId))
      for (const order of executions) {
        const worker = workers.get(order.executionId)
        if (worker) {
          worker.namedAt = performance.now()
          worker.inbox.update(order)
        } else {
          begin(order)
        }
      }
      for (const [executionId, { abort, namedAt }] of workers) {
        // An answer may be older than what named it.
        if (named.has(executionId) || askedAt === null || askedAt < namedAt) continue
        log.warn({ executionId }, 'the server does not name this execution any more: it is left alone')
        abort.abort()
      }
      if (!isFirst) return
      isFirst = false
      tellOfStrangers(named).catch((error: unknown) =>
        log.error({ err: error }, 'what is left cannot be listed'),
      )
    },
    async stop() {
      for (const { abort } of workers.values()) abort.abort()
      await Promise.all([...workers.values()].map(({ done }) => done))
    },
  }
}
