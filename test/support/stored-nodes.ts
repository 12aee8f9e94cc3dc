import { OWN_NODE_ID } from '../../src/domains/compute-nodes/own-node.ts'
import type { JsonObject } from '../../src/domains/input.ts'
import type { Prisma } from '../../src/generated/prisma/client.ts'
import { newId } from '../../src/ids.ts'
import { inDatabase } from './in-database.ts'

/** Puts a node into the database of a test's server that no agent speaks for. @returns its id */
export function storeNode(
  dataDir: string,
  fields: Partial<Prisma.ComputeNodeCreateManyInput> & { name: string; labels?: Record<string, string> },
): Promise<string> {
  const { labels = {}, ...columns } = fields
  const id = newId('ComputeNode')
  return inDatabase(dataDir, (database) =>
    database.transaction(async (tx) => {
      const { _max } = await tx.computeNode.aggregate({ _max: { telemetryId: true } })
      await tx.computeNode.create({
        data: {
          id,
          type: 'SERVER',
          isOnline: true,
          hardware: {},
          createdAt: new Date(),
          updatedAt: new Date(),
          telemetryId: (_max.telemetryId ?? 0) + 1,
          ...columns,
          labels: { create: Object.entries(labels).map(([name, value]) => ({ name, value })) },
        },
      })
      return id
    }),
  )
}

/** Has the server's own machine be another one. */
export async function storeOwnHardware(dataDir: string, hardware: JsonObject): Promise<void> {
  await inDatabase(dataDir, (database) =>
    database.transaction((tx) => tx.computeNode.update({ where: { id: OWN_NODE_ID }, data: { hardware } })),
  )
}
