import type { Transaction } from '../../db/database.ts'
import { newId } from '../../ids.ts'

/**
 * Gives what one person owns to another, and takes the first out of all projects. A project in which nobody else
 * is OWNER gets the other as one.
 *
 * @returns how much it was
 */
export async function handOver(
  tx: Transaction,
  { from, to, at }: { from: string; to: string; at: Date },
): Promise<{ projects: number; datasets: number }> {
  const orphans = await tx.project.findMany({
    where: {
      OR: [
        { ownerId: from },
        {
          AND: [
            { members: { some: { userId: from, role: 'OWNER' } } },
            { members: { none: { userId: { not: from }, role: 'OWNER' } } },
          ],
        },
      ],
    },
    select: { id: true },
  })
  await tx.projectMember.deleteMany({ where: { userId: from } })
  for (const { id: projectId } of orphans) {
    await tx.projectMember.upsert({
      where: { projectId_userId: { projectId, userId: to } },
      create: { id: newId('ProjectMember'), projectId, userId: to, role: 'OWNER', createdAt: at },
      update: { role: 'OWNER' },
    })
  }
  await tx.project.updateMany({ where: { ownerId: from }, data: { ownerId: to } })
  const datasets = await tx.dataset.updateMany({ where: { createdById: from }, data: { createdById: to } })
  return { projects: orphans.length, datasets: datasets.count }
}
