import type { Locale } from '../accounts/principal.ts'

/** Where a run is. */
export const RUN_STATUSES = [
  'QUEUED',
  'STARTING',
  'RUNNING',
  'CANCELLING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'LOST',
] as const
export type RunStatus = (typeof RUN_STATUSES)[number]

/**
 * The one table of what may follow what; a status that is not named here as a successor is never written.
 * A run that is being cancelled may still turn out to have ended by itself first.
 */
export const RUN_TRANSITIONS: Record<RunStatus, readonly RunStatus[]> = {
  QUEUED: ['STARTING', 'CANCELLED'],
  STARTING: ['RUNNING', 'CANCELLING', 'FAILED', 'CANCELLED', 'LOST'],
  RUNNING: ['CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'],
  CANCELLING: ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
  LOST: [],
}

/** The statuses of a run that is not over. */
export const ACTIVE_STATUSES = RUN_STATUSES.filter((status) => RUN_TRANSITIONS[status].length > 0)

/** The statuses of a run that has, or may have, a process: these fill the places of the queue. */
export const OCCUPYING_STATUSES: RunStatus[] = ['STARTING', 'RUNNING', 'CANCELLING']

/** Whether nothing can follow any more. */
export function isFinal(status: string): boolean {
  return !ACTIVE_STATUSES.some((active) => active === status)
}

/** The statuses from which one may be reached. */
export function predecessorsOf(status: RunStatus): RunStatus[] {
  return RUN_STATUSES.filter((before) => RUN_TRANSITIONS[before].includes(status))
}

/** The statuses in the words of the user interface. */
export const RUN_STATUS_LABELS: Record<RunStatus, Record<Locale, string>> = {
  QUEUED: { EN: 'Queued', ZH_CN: '排队中' },
  STARTING: { EN: 'Starting', ZH_CN: '启动中' },
  RUNNING: { EN: 'Running', ZH_CN: '运行中' },
  CANCELLING: { EN: 'Cancelling', ZH_CN: '取消中' },
  SUCCEEDED: { EN: 'Succeeded', ZH_CN: '已完成' },
  FAILED: { EN: 'Failed', ZH_CN: '失败' },
  CANCELLED: { EN: 'Cancelled', ZH_CN: '已取消' },
  LOST: { EN: 'Lost', ZH_CN: '失联' },
}

/** A stored status; the database holds nothing else. */
export function toRunStatus(status: string): RunStatus {
  const known = RUN_STATUSES.find((candidate) => candidate === status)
  if (!known) throw new Error(`The database holds an unknown run status ${status}.`)
  return known
}
