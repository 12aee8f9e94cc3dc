import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, ValidationError } from '../../errors.ts'
import type { ComputeNode } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireAdministrator } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { refuseTakenName } from '../names.ts'
import { OCCUPYING_STATUSES } from '../runs/status.ts'
import { type NodeQuery, requireNode } from './find.ts'
import { DeleteComputeNodeInput, UpdateComputeNodeInput } from './inputs.ts'
import { OWN_NODE_ID } from './own-node.ts'
import { announceNode } from './topics.ts'

/** What is needed to change nodes. */
export interface NodeChangeDependencies {
  database: Database
  signals: Signals
  now?: () => Date
}

/** What administrators change of nodes, besides what they have them do. */
export function createNodeChanges({ database, signals, now = () => new Date() }: NodeChangeDependencies) {
  return {
    /**
     * Changes the fields that are given.
     *
     * @throws ForbiddenError but for administrators, NotFoundError, ValidationError, ConflictError when the name is taken
     */
    async update(principal: Principal, input: unknown, query: NodeQuery = {}): Promise<ComputeNode> {
      requireAdministrator(principal)
      const { computeNodeId: id, labels, ...fields } = parseInput(UpdateComputeNodeInput, input)
      if (id === OWN_NODE_ID) refuseSettings(fields)
      const node = await refuseTakenName('a compute node', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const { name } = await requireNode(tx, id)
          await tx.computeNode.update({
            where: { id },
            data: {
              ...fields,
              updatedAt: now(),
              ...(labels && { labels: { deleteMany: {}, create: labels } }),
            },
          })
          await recordEvent(tx, principal, {
            action: 'COMPUTE_NODE_UPDATED',
            target: { kind: 'ComputeNode', id, name },
            details: { ...fields, ...(labels && { labels }) },
          })
          return tx.computeNode.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
      announceNode(signals, id)
      return node
    },

    /**
     * Removes a node that is gone, with its token and all that was measured of it. Runs that were on it stay.
     *
     * @returns the node as it was
     * @throws ForbiddenError but for administrators, NotFoundError, ConflictError for the server's own machine, while
     *   it is heard of, and while anything is on it or waits for it
     */
    async delete(principal: Principal, input: unknown, query: NodeQuery = {}): Promise<ComputeNode> {
      requireAdministrator(principal)
      const { computeNodeId: id } = parseInput(DeleteComputeNodeInput, input)
      const asItWas = await database.transaction(async (tx) => {
        const node = await requireNode(tx, id)
        await refuseWhileInUse(tx, node)
        const asItWas = await tx.computeNode.findUniqueOrThrow({ ...query, where: { id } })
        await tx.telemetryBucket.deleteMany({ where: { telemetryId: node.telemetryId } })
        await tx.computeNode.delete({ where: { id } })
        // Its agent would make the node anew.
        if (node.apiTokenId !== null) await tx.apiToken.delete({ where: { id: node.apiTokenId } })
        await recordEvent(tx, principal, {
          action: 'COMPUTE_NODE_DELETED',
          target: { kind: 'ComputeNode', id, name: node.name },
        })
        return asItWas
      })
      announceNode(signals, id)
      return asItWas
    },
  }
}

/** What of the server's own machine is for its settings to say. @throws ValidationError */
function refuseSettings({
  maxRuns,
  address,
}: {
  maxRuns?: number | undefined
  address?: string | null | undefined
}) {
  if (maxRuns !== undefined) {
    throw ValidationError.at(
      'maxRuns',
      "That of the server's own machine is its setting TRAINYARD_MAX_CONCURRENT_RUNS.",
    )
  }
  if (address != null) throw ValidationError.at('address', "The server's own machine needs none.")
}

/** @throws ConflictError */
async function refuseWhileInUse(tx: Transaction, { id, name, isOnline }: ComputeNode): Promise<void> {
  if (id === OWN_NODE_ID) throw new ConflictError("The server's own machine cannot be deleted.")
  if (isOnline) throw new ConflictError(`Compute node ${name} is heard of: end its agent first.`)
  const runs = await tx.run.count({
    where: {
      OR: [
        { nodeId: id, status: { in: OCCUPYING_STATUSES } },
        { wantedNodeId: id, status: 'QUEUED' },
      ],
    },
  })
  if (runs > 0) {
    throw new ConflictError(`Compute node ${name} has runs that are not over, or wait for it: ${runs}.`)
  }
  const deployments = await tx.deployment.count({
    where: { OR: [{ wantedNodeId: id }, { modelServers: { some: { nodeId: id } } }] },
  })
  if (deployments > 0) {
    throw new ConflictError(`Compute node ${name} is what deployments are placed on: ${deployments}.`)
  }
}
