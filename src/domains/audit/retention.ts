import { createRetention, type RetentionOptions } from '../retention.ts'

/** What the removal of old events needs. */
export interface AuditRetentionDependencies
  extends Pick<RetentionOptions, 'database' | 'log' | 'now' | 'everyMs'> {
  /** How many days events are kept; 0 for ever. */
  auditDays: number
}

/** Removes events whose time is over, at once and then daily. */
export function createAuditRetention({ auditDays, ...deps }: AuditRetentionDependencies) {
  return createRetention({
    ...deps,
    days: auditDays,
    what: 'audit events',
    async remove(tx, end, take) {
      const old = await tx.auditEvent.findMany({
        where: { createdAt: { lt: end } },
        select: { id: true },
        take,
      })
      const { count } = await tx.auditEvent.deleteMany({ where: { id: { in: old.map(({ id }) => id) } } })
      return count
    },
  })
}
