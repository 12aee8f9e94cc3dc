import { createRetention, type RetentionOptions } from '../retention.ts'

/** What the removal of old alerts needs. */
export interface AlertRetentionDependencies
  extends Pick<RetentionOptions, 'database' | 'log' | 'now' | 'everyMs'> {
  /** How many days alerts are kept; 0 for ever. */
  alertDays: number
}

/**
 * Removes alerts whose time is over, with what webhooks were told of them: those that were resolved so long ago, and
 * those of runs, which do not pass by themselves, that are so old. One that is open about something that lasts stays.
 */
export function createAlertRetention({ alertDays, ...deps }: AlertRetentionDependencies) {
  return createRetention({
    ...deps,
    days: alertDays,
    what: 'alerts',
    async remove(tx, end, take) {
      const old = await tx.alert.findMany({
        where: { OR: [{ resolvedAt: { lt: end } }, { subjectKind: 'Run', firedAt: { lt: end } }] },
        select: { id: true },
        take,
      })
      const { count } = await tx.alert.deleteMany({ where: { id: { in: old.map(({ id }) => id) } } })
      return count
    },
  })
}
