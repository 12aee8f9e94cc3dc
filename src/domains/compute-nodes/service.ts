import { latestFirst } from '../../db/pages.ts'
import type { ComputeNode, Prisma } from '../../generated/prisma/client.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { createNodeChanges, type NodeChangeDependencies } from './changes.ts'
import type { NodeQuery } from './find.ts'
import type { NodeOperationDependencies } from './operation-dependencies.ts'
import { createNodeOperations } from './operations.ts'
import { type NodeStatus, type NodeType, withNodeStatus } from './status.ts'

/** Which nodes: those that match everything given. */
export interface ComputeNodeFilter {
  status?: NodeStatus | null
  type?: NodeType | null
  search?: string | null
  /** Each must be there, with this value. */
  labels?: { name: string; value: string }[] | null
}

type NodeListQuery = Pick<Prisma.ComputeNodeFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

export type ComputeNodeService = ReturnType<typeof createComputeNodeService>

/** The machines, as people see them: everybody signed in sees all of them. */
export function createComputeNodeService(deps: NodeChangeDependencies & NodeOperationDependencies) {
  const { prisma } = deps.database

  return {
    ...createNodeChanges(deps),
    ...createNodeOperations(deps),

    /** A node by id; null when there is none. */
    async find(principal: Principal, id: string, query: NodeQuery = {}): Promise<ComputeNode | null> {
      requireUser(principal, 'READ')
      return prisma.computeNode.findUnique({ ...query, where: { id } })
    },

    /** Nodes that match, newest first. */
    async list(
      principal: Principal,
      filter: ComputeNodeFilter | null | undefined,
      query: NodeListQuery = {},
    ): Promise<ComputeNode[]> {
      requireUser(principal, 'READ')
      return prisma.computeNode.findMany(latestFirst(query, matchingNodes(filter)))
    },

    async count(principal: Principal, filter: ComputeNodeFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.computeNode.count({ where: matchingNodes(filter) })
    },
  }
}

/** The rows that a filter means. */
export function matchingNodes(filter: ComputeNodeFilter | null | undefined): Prisma.ComputeNodeWhereInput {
  const { status, type, search, labels } = filter ?? {}
  return {
    AND: [
      status ? withNodeStatus(status) : {},
      type ? { type } : {},
      search ? { OR: [{ name: { contains: search } }, { location: { contains: search } }] } : {},
      ...(labels ?? []).map((label) => ({ labels: { some: label } })),
    ],
  }
}
