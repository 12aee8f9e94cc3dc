import { storedWord } from '../stored-word.ts'

/** What a rule can look for. */
export const ALERT_CONDITIONS = [
  'NODE_CPU',
  'NODE_MEMORY',
  'NODE_DISK',
  'GPU_TEMPERATURE',
  'NODE_OFFLINE',
  'RUN_FAILED',
  'RUN_LOST',
  'RUN_METRIC_NOT_FINITE',
  'DEPLOYMENT_UNHEALTHY',
  'DEPLOYMENT_FAILED',
] as const
export type AlertCondition = (typeof ALERT_CONDITIONS)[number]

/** How much an alert matters, the least first. */
export const ALERT_LEVELS = ['INFO', 'WARNING', 'CRITICAL'] as const
export type AlertLevel = (typeof ALERT_LEVELS)[number]

/** What an alert can be about. */
export type SubjectKind = 'ComputeNode' | 'Run' | 'Deployment'

/** What is to be known of a condition. */
interface ConditionTraits {
  subject: SubjectKind
  /** The largest threshold that makes sense; null where there is nothing to compare. */
  maxThreshold: number | null
}

const TRAITS: Record<AlertCondition, ConditionTraits> = {
  NODE_CPU: { subject: 'ComputeNode', maxThreshold: 100 },
  NODE_MEMORY: { subject: 'ComputeNode', maxThreshold: 100 },
  NODE_DISK: { subject: 'ComputeNode', maxThreshold: 100 },
  GPU_TEMPERATURE: { subject: 'ComputeNode', maxThreshold: 200 },
  NODE_OFFLINE: { subject: 'ComputeNode', maxThreshold: null },
  RUN_FAILED: { subject: 'Run', maxThreshold: null },
  RUN_LOST: { subject: 'Run', maxThreshold: null },
  RUN_METRIC_NOT_FINITE: { subject: 'Run', maxThreshold: null },
  DEPLOYMENT_UNHEALTHY: { subject: 'Deployment', maxThreshold: null },
  DEPLOYMENT_FAILED: { subject: 'Deployment', maxThreshold: null },
}

/** What alerts of this condition are about. */
export function subjectOf(condition: AlertCondition): SubjectKind {
  return TRAITS[condition].subject
}

/** The largest threshold of a condition; null for one that takes none. */
export function maxThresholdOf(condition: AlertCondition): number | null {
  return TRAITS[condition].maxThreshold
}

/** Whether it is something that happens once to a run, and so neither lasts nor passes. */
export function isEvent(condition: AlertCondition): boolean {
  return subjectOf(condition) === 'Run'
}

/** Whether a level is at least another one. */
export function reaches(level: AlertLevel, least: AlertLevel): boolean {
  return ALERT_LEVELS.indexOf(level) >= ALERT_LEVELS.indexOf(least)
}

/** A stored condition; the database holds nothing else. */
export function toAlertCondition(condition: string): AlertCondition {
  return storedWord('an alert', ALERT_CONDITIONS, condition)
}

/** A stored level; the database holds nothing else. */
export function toAlertLevel(level: string): AlertLevel {
  return storedWord('an alert', ALERT_LEVELS, level)
}
