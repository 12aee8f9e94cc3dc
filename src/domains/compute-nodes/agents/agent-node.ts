import type { Database, Transaction } from '../../../db/database.ts'
import { ForbiddenError } from '../../../errors.ts'
import type { ComputeNode } from '../../../generated/prisma/client.ts'
import { type Principal, requireUser } from '../../accounts/principal.ts'

/**
 * The API token of an agent: its id is what a node is bound to.
 *
 * @throws ForbiddenError for everything but a token of scope AGENT of somebody who is an administrator
 */
export function requireAgentToken(principal: Principal): { tokenId: string; address: string | null } {
  const { credential, role, origin } = requireUser(principal, 'AGENT')
  if (credential.kind !== 'token')
    throw new ForbiddenError('This is for agents: it takes an API token of scope AGENT.')
  if (role !== 'ADMIN') throw new ForbiddenError('Who made this token is no administrator any more.')
  return { tokenId: credential.id, address: origin.address }
}

/**
 * The node whose agent asks. Everything that agents do begins with this: what belongs to other nodes is out of reach.
 *
 * @throws ForbiddenError when it is no agent, or its node is not registered
 */
export async function requireAgentNode(
  prisma: Database['prisma'] | Transaction,
  principal: Principal,
): Promise<ComputeNode> {
  const { tokenId } = requireAgentToken(principal)
  const node = await prisma.computeNode.findUnique({ where: { apiTokenId: tokenId } })
  if (node) return node
  throw new ForbiddenError('This token is bound to no compute node: register first (registerAgent).')
}
