import { z } from 'zod'
import type { Database, Transaction } from '../../../db/database.ts'
import { ConflictError, ForbiddenError } from '../../../errors.ts'
import type { ComputeNode } from '../../../generated/prisma/client.ts'
import { newId } from '../../../ids.ts'
import type { Signals } from '../../../streams/signals.ts'
import { isOver } from '../../accounts/api-tokens.ts'
import type { Principal } from '../../accounts/principal.ts'
import { recordEvent } from '../../audit/record.ts'
import { NameInput, parseInput } from '../../input.ts'
import { OwnNameInput, refuseTakenName } from '../../names.ts'
import type { NodeQuery } from '../find.ts'
import { AddressInput, HardwareInput } from '../inputs.ts'
import { LabelsInput, setLabels } from '../labels.ts'
import { NODE_TYPES } from '../status.ts'
import { announceNode } from '../topics.ts'
import { requireAgentToken } from './agent-node.ts'
import type { Leases } from './leases.ts'

export type AgentRegistration = ReturnType<typeof createAgentRegistration>

/** Takes machines in, by the agents that run on them. */
export function createAgentRegistration(deps: {
  database: Database
  signals: Signals
  leases: Pick<Leases, 'renew'>
  now?: () => Date
}) {
  const { database, signals, leases, now = () => new Date() } = deps

  return {
    /**
     * Binds the token of an agent to a node: to the one that it is bound to already, to a new one, or to one whose
     * own token is gone.
     *
     * @throws ForbiddenError when the token is used from another machine than the first time, ConflictError when
     *   another agent has the name, ValidationError
     */
    async register(principal: Principal, input: unknown, query: NodeQuery = {}): Promise<ComputeNode> {
      const { tokenId, address } = requireAgentToken(principal)
      const { labels, type, hardware, ...told } = parseInput(RegisterAgentInput, input)
      const { name } = told
      return refuseTakenName('a compute node', name, async () => {
        const node = await database.transaction(async (tx) => {
          const found = await findNode(tx, tokenId, told)
          const fields = {
            ...told,
            name: found?.name ?? name,
            type: type ?? found?.type ?? 'SERVER',
            address: told.address ?? address,
            location: told.location ?? found?.location ?? null,
            maxRuns: told.maxRuns ?? found?.maxRuns ?? 1,
            hardware,
            apiTokenId: tokenId,
            isOnline: true,
            lastSeenAt: now(),
            startedAt: now(),
            updatedAt: now(),
          }
          const { id } = found
            ? await tx.computeNode.update({ where: { id: found.id }, data: fields })
            : await tx.computeNode.create({
                data: {
                  ...fields,
                  id: newId('ComputeNode'),
                  createdAt: now(),
                  telemetryId: await nextTelemetryId(tx),
                },
              })
          await setLabels(tx, id, labels ?? [])
          if (found?.apiTokenId !== tokenId && principal.kind === 'user') {
            await recordEvent(tx, principal, {
              action: 'COMPUTE_NODE_REGISTERED',
              target: { kind: 'ComputeNode', id, name: fields.name },
              details: { isNew: !found },
            })
          }
          return tx.computeNode.findUniqueOrThrow({ ...query, where: { id } })
        })
        announceNode(signals, node.id)
        // From here on it is missed, whether or not another word follows.
        await leases.renew(node.id)
        return node
      })
    },
  }

  /** The node that a token is for: null for a new one. */
  async function findNode(
    tx: Transaction,
    tokenId: string,
    { name, installationId }: { name: string; installationId: string },
  ): Promise<ComputeNode | null> {
    const bound = await tx.computeNode.findUnique({ where: { apiTokenId: tokenId } })
    if (bound) {
      if (bound.installationId === installationId) return bound
      throw new ForbiddenError(
        `This token belongs to compute node ${bound.name}, and to the data folder of its agent: make another one for this machine.`,
      )
    }
    const named = await tx.computeNode.findUnique({ where: { name }, include: { apiToken: true } })
    if (!named) return null
    const { apiToken } = named
    const isOrphan = named.installationId !== null && (!apiToken || isOver(apiToken.expiresAt, now()))
    if (isOrphan) return named
    throw new ConflictError(
      `There is already a compute node named ${JSON.stringify(name)}: choose another name, or revoke its token first if this is to take its place.`,
    )
  }
}

/** A number that neither a node has nor what is left of the telemetry of one that was deleted. */
async function nextTelemetryId(tx: Transaction): Promise<number> {
  const highest = { _max: { telemetryId: true } } as const
  const nodes = await tx.computeNode.aggregate(highest)
  const left = await tx.telemetryBucket.aggregate(highest)
  return Math.max(nodes._max.telemetryId ?? 0, left._max.telemetryId ?? 0) + 1
}

const RegisterAgentInput = z.object({
  name: OwnNameInput,
  installationId: z.string().min(16, 'Must have at least 16 characters.').max(100),
  type: z.enum(NODE_TYPES).exclude(['CONTROL'], 'CONTROL is the machine of the server.').nullish(),
  location: NameInput.nullish(),
  address: AddressInput.nullish(),
  labels: LabelsInput.nullish(),
  maxRuns: z.number().int().min(0, 'Must not be negative.').max(1000, 'Must be at most 1000.').nullish(),
  hardware: HardwareInput,
  agentVersion: z.string().min(1).max(100),
})
