import type { Logger } from 'pino'
import type { Database } from '../../../db/database.ts'
import type { Signals } from '../../../streams/signals.ts'
import { type AlertCondition, isEvent, toAlertCondition } from '../conditions.ts'
import { announceAlerts, type Finding, openAlert, resolveAlerts, type Subject } from '../records.ts'

/** A rule that is enabled, as far as alerts depend on it. */
export interface Rule {
  id: string
  condition: AlertCondition
  threshold: number | null
  durationMs: number
  /** Since when it is as it is: what happened to a run before is none of its business. */
  since: Date
}

/** What keeps alerts in line with how things stand. */
export interface TrackerDependencies {
  database: Database
  signals: Signals
  log: Logger
  now: () => Date
}

/** What is known of a rule and a subject: only while it holds, or an alert is open. */
interface Entry {
  rule: Rule
  subject: Subject
  /** Why it holds; null when it does not any more. */
  finding: Finding | null
  /** Since when it has held without a break, and when that was last seen; in ms. */
  since: number
  seenAt: number
  /** Whether it goes on to hold until something else is said: then it is not seen again and again. */
  isLasting: boolean
  /** The alert that is open. */
  alertId: string | null
  /** The database is being told of it. */
  busy: boolean
}

/** A duration does not go on over a silence that is longer than this, in ms. */
const LONGEST_GAP_MS = 60_000
/** How often is looked for durations that have passed, and what could not be written is tried again, in ms. */
const TICK_MS = 1000
/** How long what goes on going wrong is not logged again, in ms. */
const QUIET_MS = 60_000

export type Tracker = ReturnType<typeof createTracker>

/**
 * Opens an alert when a condition has held for as long as its rule says, and resolves it when it holds no more.
 * Everything but that is done in memory: what is seen again and again costs no statement. What was seen of a duration
 * that has not passed is forgotten when the server stops.
 */
export function createTracker({ database, signals, log, now }: TrackerDependencies) {
  let rules = new Map<AlertCondition, Rule[]>()
  const entries = new Map<string, Entry>()
  let writes: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | null = null
  let quietUntil = 0

  const keyOf = (ruleId: string, subjectId: string) => `${ruleId} ${subjectId}`

  /** Does in turn what needs the database; what fails is tried again at the next occasion. */
  function write(entry: Entry, work: () => Promise<void>) {
    entry.busy = true
    writes = writes.then(work).then(
      () => {
        entry.busy = false
        settle(entry)
      },
      (error: unknown) => {
        entry.busy = false
        if (performance.now() < quietUntil) return
        quietUntil = performance.now() + QUIET_MS
        log.error({ err: error }, 'an alert could not be written; trying again')
      },
    )
  }

  /** Opens or resolves the alert of an entry, if it is time; forgets what there is nothing to know of. */
  function settle(entry: Entry) {
    const key = keyOf(entry.rule.id, entry.subject.id)
    if (entry.busy || entries.get(key) !== entry) return
    const { alertId, finding } = entry
    if (finding === null && alertId === null) entries.delete(key)
    else if (finding === null && alertId !== null) {
      write(entry, async () => {
        announceAlerts(signals, await resolve(alertId))
        entry.alertId = null
      })
    } else if (finding !== null && alertId === null && isDue(entry)) {
      write(entry, async () => {
        const opened = await open(entry, finding)
        if (opened?.isNew) announceAlerts(signals, [opened.id])
        if (opened) entry.alertId = opened.id
        else entries.delete(key)
      })
    }
  }

  const open = ({ rule, subject }: Entry, finding: Finding) =>
    database.transaction((tx) => openAlert(tx, { ruleId: rule.id, subject, finding }, now()))
  const resolve = (id: string) => database.transaction((tx) => resolveAlerts(tx, { id }, now()))

  function isDue({ rule, since, seenAt, isLasting }: Entry) {
    return (isLasting ? now().getTime() : seenAt) - since >= rule.durationMs
  }

  return {
    /** The rules of a condition. */
    rulesOf: (condition: AlertCondition): readonly Rule[] => rules.get(condition) ?? [],

    /**
     * Says how something stands.
     *
     * @param finding why the condition holds; null when it does not
     * @param isLasting whether that is so until something else is said, and not only now
     */
    report(rule: Rule, subject: Subject, finding: Finding | null, isLasting: boolean): void {
      const key = keyOf(rule.id, subject.id)
      let entry = entries.get(key)
      if (!entry) {
        if (finding === null) return
        const at = now().getTime()
        entry = { rule, subject, finding, since: at, seenAt: at, isLasting, alertId: null, busy: false }
        entries.set(key, entry)
      } else {
        const at = now().getTime()
        const isBroken = entry.finding === null || (!isLasting && at - entry.seenAt > LONGEST_GAP_MS)
        if (finding !== null && isBroken) entry.since = at
        entry.finding = finding
        entry.seenAt = at
        entry.isLasting = isLasting
      }
      settle(entry)
    },

    /** Says that something is there no more: whatever was to be said of it holds no more. */
    forget({ kind, id }: Subject): void {
      for (const entry of entries.values()) {
        if (entry.subject.kind !== kind || entry.subject.id !== id) continue
        entry.finding = null
        settle(entry)
      }
    },

    /** Goes by what the database has: the rules that are enabled, and the alerts of lasting conditions that are open. */
    async load(): Promise<void> {
      const stored = await database.prisma.alertRule.findMany({ where: { enabled: true } })
      const open = await database.prisma.alert.findMany({
        where: { ruleId: { in: stored.map(({ id }) => id) }, resolvedAt: null },
        select: { id: true, ruleId: true, subjectKind: true, subjectId: true },
      })
      const all = stored.map(
        (rule): Rule => ({
          id: rule.id,
          condition: toAlertCondition(rule.condition),
          threshold: rule.threshold,
          durationMs: rule.durationSeconds * 1000,
          since: rule.updatedAt,
        }),
      )
      rules = Map.groupBy(all, ({ condition }) => condition)
      const byId = new Map(all.map((rule) => [rule.id, rule]))
      for (const [key, entry] of entries) {
        const rule = byId.get(entry.rule.id)
        const isSame = rule?.since.getTime() === entry.rule.since.getTime()
        // What was found by another rule, or threshold, is to be found anew.
        if (!rule || (!isSame && entry.alertId === null)) entries.delete(key)
        else entry.rule = rule
      }
      for (const { id, ruleId, subjectKind, subjectId } of open) {
        const rule = byId.get(ruleId ?? '')
        const kind = subjectKinds.find((known) => known === subjectKind)
        if (!rule || !kind || isEvent(rule.condition) || entries.has(keyOf(rule.id, subjectId))) continue
        const at = now().getTime()
        const subject = { kind, id: subjectId }
        entries.set(keyOf(rule.id, subjectId), {
          ...{ rule, subject, finding: UNCHANGED, since: at, seenAt: at },
          ...{ isLasting: false, alertId: id, busy: false },
        })
      }
    },

    /** What alerts are open about, to look how that stands now. */
    subjects: (): Subject[] => [...entries.values()].map(({ subject }) => subject),

    start(): void {
      timer = setInterval(() => {
        for (const entry of entries.values()) settle(entry)
      }, TICK_MS).unref()
    },

    /** Waits until everything is written that is to be written now; never fails. */
    idle: () => writes,

    async stop(): Promise<void> {
      if (timer) clearInterval(timer)
      await writes
    },
  }
}

const subjectKinds = ['ComputeNode', 'Deployment'] as const

/** What is taken to hold of an alert that was open when the server stopped, until something else is said. */
const UNCHANGED: Finding = { value: null, message: (name) => name }
