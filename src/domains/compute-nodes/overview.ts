import type { Database } from '../../db/database.ts'
import type { ComputeNode, Project } from '../../generated/prisma/client.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { visibleDeployments } from '../deployments/access.ts'
import { type DeploymentStatus, toDeploymentStatus } from '../deployments/status.ts'
import { visibleRuns } from '../runs/access.ts'
import { OCCUPYING_STATUSES, type RunStatus, toRunStatus } from '../runs/status.ts'
import { type NodeStatus, nodeStatus } from './status.ts'

/** How much of a kind has a status. */
export interface StatusCount<Status> {
  status: Status
  count: number
}

/** How everything stands that somebody may see. */
export interface Overview {
  runCounts: StatusCount<RunStatus>[]
  deploymentCounts: StatusCount<DeploymentStatus>[]
  nodeCounts: StatusCount<NodeStatus>[]
  nodesPerProject: { project: Project; computeNodes: ComputeNode[] }[]
}

export type OverviewService = ReturnType<typeof createOverviewService>

/** Sums up what there is. */
export function createOverviewService({ database: { prisma } }: { database: Database }) {
  return {
    /** @throws ForbiddenError for the process of a run */
    async read(principal: Principal): Promise<Overview> {
      requireUser(principal, 'READ')
      const [runs, deployments, nodes, places] = await Promise.all([
        prisma.run.groupBy({ by: ['status'], _count: { _all: true }, where: visibleRuns(principal) }),
        prisma.deployment.groupBy({
          by: ['status'],
          _count: { _all: true },
          where: visibleDeployments(principal),
        }),
        prisma.computeNode.findMany({ orderBy: { name: 'asc' } }),
        prisma.run.findMany({
          where: {
            AND: [visibleRuns(principal)],
            status: { in: OCCUPYING_STATUSES },
            nodeId: { not: null },
          },
          distinct: ['projectId', 'nodeId'],
          select: { nodeId: true, project: true },
          orderBy: { projectId: 'asc' },
        }),
      ])
      const ofProjects = Map.groupBy(places, ({ project }) => project.id)
      return {
        runCounts: runs.map(({ status, _count }) => ({ status: toRunStatus(status), count: _count._all })),
        deploymentCounts: deployments.map(({ status, _count }) => ({
          status: toDeploymentStatus(status),
          count: _count._all,
        })),
        nodeCounts: [...Map.groupBy(nodes, nodeStatus)].map(([status, { length: count }]) => ({
          status,
          count,
        })),
        nodesPerProject: [...ofProjects.values()].flatMap((ofProject) => {
          const ids = new Set(ofProject.map(({ nodeId }) => nodeId))
          const computeNodes = nodes.filter(({ id }) => ids.has(id))
          const [first] = ofProject
          return first ? [{ project: first.project, computeNodes }] : []
        }),
      }
    },
  }
}
