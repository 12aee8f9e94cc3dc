import type { Locale } from '../accounts/principal.ts'

/** What people say of a project; Trainyard itself refuses runs only in an archived one. */
export const PROJECT_STATUSES = ['DRAFT', 'ACTIVE', 'PAUSED', 'COMPLETED', 'ARCHIVED'] as const
export type ProjectStatus = (typeof PROJECT_STATUSES)[number]

/** The statuses in the words of the user interface. */
export const PROJECT_STATUS_LABELS: Record<ProjectStatus, Record<Locale, string>> = {
  DRAFT: { EN: 'Draft', ZH_CN: '草稿' },
  ACTIVE: { EN: 'Active', ZH_CN: '进行中' },
  PAUSED: { EN: 'Paused', ZH_CN: '已暂停' },
  COMPLETED: { EN: 'Completed', ZH_CN: '已完成' },
  ARCHIVED: { EN: 'Archived', ZH_CN: '已归档' },
}

/** A stored status; the database holds nothing else. */
export function toProjectStatus(status: string): ProjectStatus {
  const known = PROJECT_STATUSES.find((candidate) => candidate === status)
  if (!known) throw new Error(`The database holds an unknown project status ${status}.`)
  return known
}
