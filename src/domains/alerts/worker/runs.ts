import type { Database } from '../../../db/database.ts'
import type { Prisma } from '../../../generated/prisma/client.ts'
import type { Signals } from '../../../streams/signals.ts'
import { NON_FINITE } from '../../runs/metric-store.ts'
import { ACTIVE_STATUSES } from '../../runs/status.ts'
import type { AlertCondition } from '../conditions.ts'
import { announceAlerts, type Finding, openAlert } from '../records.ts'
import { withReason } from './states.ts'
import type { Rule, Tracker } from './tracker.ts'

/** What happens to runs. */
const EVENTS = ['RUN_FAILED', 'RUN_LOST', 'RUN_METRIC_NOT_FINITE'] as const satisfies AlertCondition[]

/** What is to be known of a run. */
const LOOKED_AT = {
  id: true,
  status: true,
  statusReason: true,
  updatedAt: true,
  metrics: {
    where: { lastNonFinite: { gt: 0 } },
    select: { key: true, lastStep: true, lastNonFinite: true },
    orderBy: { key: 'asc' },
  },
} satisfies Prisma.RunSelect
type LookedAt = Prisma.RunGetPayload<{ select: typeof LOOKED_AT }>

/**
 * Fires once for what happens to a run: that it failed, that it was lost, that a loss of it is no number. Of a loss the
 * latest value counts: one that is a number again before anybody looks is passed over.
 */
export function createRunAlerts(deps: {
  database: Database
  signals: Signals
  tracker: Tracker
  now: () => Date
}) {
  const { database, signals, tracker, now } = deps
  /** The rules and runs that there is an alert of. */
  const told = new Set<string>()
  const keyOf = (ruleId: string, runId: string) => `${ruleId} ${runId}`

  return {
    async look(ids: string[]): Promise<void> {
      if (EVENTS.every((condition) => tracker.rulesOf(condition).length === 0)) return
      const runs = await database.prisma.run.findMany({ where: { id: { in: ids } }, select: LOOKED_AT })
      for (const run of runs) {
        for (const condition of EVENTS) {
          const finding = findingOf(condition, run)
          for (const rule of finding ? tracker.rulesOf(condition) : []) {
            const key = keyOf(rule.id, run.id)
            // It may be touched, by an artifact say, long after it was over.
            if (!finding || told.has(key) || run.updatedAt < rule.since) continue
            const subject = { kind: 'Run', id: run.id } as const
            const opened = await database.transaction((tx) =>
              openAlert(tx, { ruleId: rule.id, subject, finding }, now()),
            )
            if (opened) told.add(key)
            if (opened?.isNew) announceAlerts(signals, [opened.id])
          }
        }
      }
    },

    /**
     * The runs to look at when the server starts, or a rule is new: those that ended unseen, and those that go on.
     *
     * @param since alerts of before may be there no more: what happened then is left alone
     */
    async missed(since: Date): Promise<string[]> {
      const rules = EVENTS.flatMap((condition) => tracker.rulesOf(condition))
      if (rules.length === 0) return []
      const from = new Date(Math.max(since.getTime(), earliestOf(rules)))
      const alerts = await database.prisma.alert.findMany({
        where: { ruleId: { in: rules.map(({ id }) => id) }, firedAt: { gte: from } },
        select: { ruleId: true, subjectId: true },
      })
      for (const { ruleId, subjectId } of alerts) told.add(keyOf(ruleId ?? '', subjectId))
      const over = await database.prisma.run.findMany({
        where: {
          updatedAt: { gte: from },
          OR: [
            { status: { in: ['FAILED', 'LOST', ...ACTIVE_STATUSES] } },
            { metrics: { some: { lastNonFinite: { gt: 0 } } } },
          ],
        },
        select: { id: true },
      })
      return over.map(({ id }) => id)
    },
  }
}

function findingOf(condition: (typeof EVENTS)[number], run: LookedAt): Finding | null {
  if (condition === 'RUN_METRIC_NOT_FINITE') {
    const metric = run.metrics.find(({ key }) => isLoss(key))
    if (!metric) return null
    const value = NAME_OF[NON_FINITE[metric.lastNonFinite] ?? 'NAN']
    return {
      value: null,
      message: (name) => `Run ${name}: ${metric.key} is ${value} at step ${metric.lastStep}.`,
    }
  }
  const [status, what] = condition === 'RUN_FAILED' ? ['FAILED', 'has failed'] : ['LOST', 'was lost']
  if (run.status !== status) return null
  return { value: null, message: (name) => withReason(`Run ${name} ${what}`, run.statusReason) }
}

const NAME_OF = { NAN: 'not a number', INFINITY: 'infinite', NEGATIVE_INFINITY: 'minus infinity' }

/** Whether a metric is called a loss: `loss`, `train/loss`, `eval_loss`, `valLoss`, `loss_ce`; not `lossless`. */
export function isLoss(key: string): boolean {
  return /(?:(?<![A-Za-z])(?:[Ll]oss|LOSS)|(?<=[a-z])Loss)(?:es|ES)?(?![a-z])/.test(key)
}

const earliestOf = (rules: readonly Rule[]) => Math.min(...rules.map(({ since }) => since.getTime()))
