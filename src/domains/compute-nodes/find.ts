import type { Connection } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import type { ComputeNode, Prisma } from '../../generated/prisma/client.ts'
import { byIdOrName } from '../names.ts'

/** What Pothos selects of a node. */
export type NodeQuery = { include?: Prisma.ComputeNodeInclude; select?: Prisma.ComputeNodeSelect }

/** A compute node, which everybody signed in sees, by its id or name. @throws NotFoundError */
export async function requireComputeNode(on: Connection, ref: string): Promise<ComputeNode> {
  const node = await on.computeNode.findFirst({ where: byIdOrName('ComputeNode', ref) })
  if (!node) throw new NotFoundError('compute node', ref)
  return node
}

/** A compute node by its id. @throws NotFoundError */
export async function requireNode(on: Connection, id: string): Promise<ComputeNode> {
  const node = await on.computeNode.findUnique({ where: { id } })
  if (!node) throw new NotFoundError('compute node', id)
  return node
}
