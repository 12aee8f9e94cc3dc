/** How far a dataset is: it can be trained on from READY on. */
export const DATASET_STATUSES = ['CREATED', 'READY', 'TRAIN_CONFIG_UPLOADED', 'TRAIN_CONFIG_DELETED'] as const
export type DatasetStatus = (typeof DATASET_STATUSES)[number]

/** A stored status; the database holds nothing else. */
export function toDatasetStatus(status: string): DatasetStatus {
  const known = DATASET_STATUSES.find((candidate) => candidate === status)
  if (!known) throw new Error(`The database holds an unknown dataset status ${status}.`)
  return known
}
