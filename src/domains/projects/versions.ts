import type { Transaction } from '../../db/database.ts'
import { newId } from '../../ids.ts'
import type { FieldChange } from './changes.ts'

/** Adds what changed to the history of a project, in the transaction that changes it. */
export async function addVersion(
  tx: Transaction,
  version: { projectId: string; changedById: string; createdAt: Date; changes: FieldChange[] },
): Promise<void> {
  const last = await tx.projectVersion.findFirst({
    where: { projectId: version.projectId },
    orderBy: { number: 'desc' },
    select: { number: true },
  })
  await tx.projectVersion.create({
    data: {
      ...version,
      id: newId('ProjectVersion'),
      number: (last?.number ?? 0) + 1,
      changes: version.changes.map((change) => ({ ...change })),
    },
  })
}
