import type { Database } from '../../db/database.ts'
import type { Signals } from '../../streams/signals.ts'
import { createStateWatcher, type StateChange } from '../../streams/states.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { visibleAlerts } from './access.ts'
import { alertTopics } from './topics.ts'

/** What can be watched of alerts. */
export function createAlertWatcher({ database, signals }: { database: Database; signals: Signals }) {
  const { prisma } = database
  const states = createStateWatcher({
    signals,
    topicOf: alertTopics.changed,
    read: (id) =>
      prisma.alert.findUnique({ where: { id }, select: { resolvedAt: true, acknowledgedAt: true } }),
  })

  return {
    /**
     * Which alerts to look at: at once those that are open, then each that is new or changes. Of one that may not
     * be seen, nothing is delivered: whoever resolves it does not find it.
     */
    async updates(principal: Principal): Promise<AsyncIterableIterator<StateChange>> {
      requireUser(principal, 'READ')
      return states.all(alertTopics.any, () =>
        prisma.alert.findMany({
          where: { AND: [{ resolvedAt: null }, visibleAlerts(principal)] },
          select: { id: true },
          orderBy: { id: 'asc' },
        }),
      )
    },
  }
}
