import type { Transaction } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'
import type { Dataset } from '../../generated/prisma/client.ts'
import type { Principal } from '../accounts/principal.ts'
import { type AuditAction, recordEvent } from '../audit/record.ts'
import type { JsonObject } from '../input.ts'
import { visibleRuns } from '../runs/access.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import type { DatasetStatus } from './status.ts'

/** Brings the status of a dataset up to date with its files and its config. */
export async function refreshStatus(tx: Transaction, id: string, now: Date): Promise<void> {
  const dataset = await tx.dataset.findUniqueOrThrow({
    where: { id },
    include: { trainConfig: { select: { datasetId: true } }, _count: { select: { files: true } } },
  })
  const hadConfig = dataset.status === 'TRAIN_CONFIG_UPLOADED' || dataset.status === 'TRAIN_CONFIG_DELETED'
  const status: DatasetStatus = dataset.trainConfig
    ? 'TRAIN_CONFIG_UPLOADED'
    : hadConfig
      ? 'TRAIN_CONFIG_DELETED'
      : dataset._count.files > 0
        ? 'READY'
        : 'CREATED'
  await tx.dataset.update({ where: { id }, data: { status, updatedAt: now } })
}

/** Refuses to change what is trained on. @throws ConflictError while an active run uses the dataset, by the names of those runs that may be seen */
export async function refuseUsed(tx: Transaction, principal: Principal, dataset: Dataset): Promise<void> {
  const isUser = { datasetName: dataset.name, status: { in: ACTIVE_STATUSES } }
  const count = await tx.run.count({ where: isUser })
  if (count === 0) return
  const users = await tx.run.findMany({
    where: { AND: [isUser, visibleRuns(principal)] },
    select: { name: true },
    take: 5,
  })
  const which = users.length > 0 ? users.map((run) => run.name).join(', ') : 'of others'
  throw new ConflictError(
    `Dataset ${dataset.name} is used by active runs (${which}): wait for them or cancel them first.`,
  )
}

/** Writes down what was done with a dataset. */
export async function record(
  tx: Transaction,
  principal: Principal,
  action: AuditAction,
  { id, name }: Dataset,
  details: JsonObject,
): Promise<void> {
  await recordEvent(tx, principal, { action, target: { kind: 'Dataset', id, name }, details })
}
