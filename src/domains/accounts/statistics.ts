import type { Database } from '../../db/database.ts'
import { type Principal, requireAdministrator } from './principal.ts'

/** Who used a session this long ago counts as active, in ms. */
const ACTIVE_MS = 7 * 86_400_000

/** How much there is on the server. */
export interface ServerStatistics {
  users: number
  activeUsers: number
  administrators: number
  sessions: number
  projects: number
  datasets: number
  datasetBytes: bigint
  runs: { status: string; count: number }[]
  artifacts: number
  artifactBytes: bigint
  logLines: bigint
}

/** Counts what there is, for administrators. */
export function createStatisticsService({
  database: { prisma },
  now = () => new Date(),
}: {
  database: Database
  now?: () => Date
}) {
  return {
    /** @throws ForbiddenError */
    async read(principal: Principal): Promise<ServerStatistics> {
      requireAdministrator(principal)
      const since = new Date(now().getTime() - ACTIVE_MS)
      const wasActive = {
        OR: [
          { lastLoginAt: { gte: since } },
          { sessions: { some: { lastUsedAt: { gte: since } } } },
          { apiTokens: { some: { runId: null, lastUsedAt: { gte: since } } } },
        ],
      }
      const [
        users,
        activeUsers,
        administrators,
        sessions,
        projects,
        datasets,
        files,
        runs,
        artifacts,
        lines,
      ] = await Promise.all([
        prisma.user.count({ where: { deletedAt: null } }),
        prisma.user.count({ where: { deletedAt: null, ...wasActive } }),
        prisma.user.count({ where: { role: 'ADMIN', deactivatedAt: null } }),
        prisma.userSession.count({ where: { expiresAt: { gt: now() } } }),
        prisma.project.count(),
        prisma.dataset.count(),
        prisma.datasetFile.aggregate({ _sum: { sizeBytes: true } }),
        prisma.run.groupBy({ by: ['status'], _count: { _all: true }, orderBy: { status: 'asc' } }),
        prisma.artifact.aggregate({ _count: { _all: true }, _sum: { sizeBytes: true } }),
        prisma.stream.aggregate({ _sum: { lastSeq: true }, where: { runLog: { isNot: null } } }),
      ])
      return {
        users,
        activeUsers,
        administrators,
        sessions,
        projects,
        datasets,
        datasetBytes: files._sum.sizeBytes ?? 0n,
        runs: runs.map(({ status, _count }) => ({ status, count: _count._all })),
        artifacts: artifacts._count._all,
        artifactBytes: artifacts._sum.sizeBytes ?? 0n,
        logLines: BigInt(lines._sum.lastSeq ?? 0),
      }
    },
  }
}
