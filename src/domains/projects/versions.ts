import type { Transaction } from '../../db/database.ts'
import type { Connection } from '../../db/statements.ts'
import { newId } from '../../ids.ts'
import { type FieldChange, parseChanges } from './changes.ts'

/** How many versions are read at once. */
const PAGE = 100

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

/** Since when a project names the dataset that it names; the beginning of time when no version tells. */
export async function datasetNamedAt(on: Connection, projectId: string): Promise<Date> {
  for (let skip = 0; ; skip += PAGE) {
    const versions = await on.projectVersion.findMany({
      where: { projectId },
      orderBy: { number: 'desc' },
      select: { changes: true, createdAt: true },
      take: PAGE,
      skip,
    })
    const naming = versions.find(({ changes }) =>
      parseChanges(changes).some(({ field }) => field === 'datasetName'),
    )
    if (naming) return naming.createdAt
    if (versions.length < PAGE) return new Date(0)
  }
}
