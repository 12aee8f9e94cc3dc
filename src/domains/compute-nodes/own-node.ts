import type { Database } from '../../db/database.ts'
import { MACHINE_LABELS } from '../../machine/labels.ts'
import type { JsonObject } from '../input.ts'
import { setLabels } from './labels.ts'

/** The row of the server's own machine, which the migrations make. */
export const OWN_NODE_ID = 'node_00000000000000000000000000'

/** What the server knows of its own machine. */
export interface OwnMachine {
  /** Its name, unless an administrator gave it another. */
  hostname: string
  hardware: JsonObject
  /** How many runs may have a process on it at a time. */
  maxRuns: number
  /** The version of this server. */
  version: string
}

/** What the migrations call the server's own machine, until its server has started. */
const UNNAMED = 'server'

/** Writes down what the server's own machine is now. To be called at start. */
export async function updateOwnNode(
  database: Database,
  { hostname, hardware, maxRuns, version }: OwnMachine,
  now: Date = new Date(),
): Promise<void> {
  await database.transaction(async (tx) => {
    const { name } = await tx.computeNode.findUniqueOrThrow({ where: { id: OWN_NODE_ID } })
    const isTaken = (await tx.computeNode.count({ where: { name: hostname } })) > 0
    await tx.computeNode.update({
      where: { id: OWN_NODE_ID },
      data: {
        ...(name === UNNAMED && !isTaken && { name: hostname }),
        hardware,
        maxRuns,
        agentVersion: version,
        isOnline: true,
        startedAt: now,
        lastSeenAt: now,
        updatedAt: now,
      },
    })
    await setLabels(tx, OWN_NODE_ID, MACHINE_LABELS)
  })
}
