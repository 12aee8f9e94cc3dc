import type { Database } from '../../db/database.ts'
import type { ComputeNode, Project } from '../../generated/prisma/client.ts'
import type { TelemetrySample } from '../../machine/types.ts'
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
  /** Of the nodes that are heard of and have measured themselves, in percent; null when none has. */
  averageCpuUsage: number | null
  averageMemoryUsage: number | null
}

/** What an overview is made of. */
interface OverviewDependencies {
  database: Database
  /** What a node measured last. */
  latestTelemetry(nodeId: string): TelemetrySample | null
}

export type OverviewService = ReturnType<typeof createOverviewService>

/** Sums up what there is. */
export function createOverviewService({ database: { prisma }, latestTelemetry }: OverviewDependencies) {
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
      const samples = nodes
        .filter(({ isOnline }) => isOnline)
        .map(({ id }) => latestTelemetry(id))
        .filter((sample) => sample !== null)
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
        averageCpuUsage: meanOf(samples.map(({ cpuUsage }) => cpuUsage)),
        averageMemoryUsage: meanOf(samples.map(({ memoryUsage }) => memoryUsage)),
      }
    },
  }
}

function meanOf(values: number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}
