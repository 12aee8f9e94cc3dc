import { createBatch } from '../../db/batch.ts'
import type { Database } from '../../db/database.ts'
import type { Connection } from '../../db/statements.ts'
import { ForbiddenError } from '../../errors.ts'
import type { Prisma } from '../../generated/prisma/client.ts'
import { hasScope, isAdministrator, type Principal } from '../accounts/principal.ts'
import { includesRole, type ProjectRole, toProjectRole, toVisibility } from './roles.ts'

/*
 * Who may do what in a project, for every service that has to do with one. What somebody may not see does not exist
 * for them: it is left out by the conditions for reading below, and not found. What they see and may not do is
 * refused. An administrator is as an owner everywhere, with a credential that may be used as such.
 */

/** The topics that changes of access are announced under; streams ask again then. */
export const accessTopics = {
  /** The members or the visibility of a project changed. */
  project: (projectId: string) => `access/project/${projectId}`,
} as const

/** The projects that somebody may see: those that the whole team sees, and those they are a member of. */
export function visibleProjects(principal: Principal): Prisma.ProjectWhereInput {
  if (isAdministrator(principal)) return {}
  if (principal.kind === 'run') return NONE
  return { OR: [{ visibility: 'TEAM' }, projectsOf(principal)] }
}

/** The projects that somebody is a member of; for an administrator all. */
export function projectsOf(principal: Principal): Prisma.ProjectWhereInput {
  if (isAdministrator(principal)) return {}
  if (principal.kind === 'run') return NONE
  return { members: { some: { userId: principal.userId } } }
}

const NONE = { id: { in: [] } }

/**
 * Lets those pass who have a role in a project that they see.
 *
 * @throws ForbiddenError
 */
export async function requireRole(
  on: Connection,
  principal: Principal,
  projectId: string,
  needed: ProjectRole,
): Promise<void> {
  if (needed === 'VIEWER' || (await hasRole(on, principal, projectId, needed))) return
  throw new ForbiddenError(WHO_MAY[needed])
}

/** Whether somebody has a role in a project that they see. */
export async function hasRole(
  on: Connection,
  principal: Principal,
  projectId: string,
  needed: ProjectRole,
): Promise<boolean> {
  if (isAdministrator(principal)) return true
  if (principal.kind !== 'user') return false
  const member = await on.projectMember.findUnique({
    where: { projectId_userId: { projectId, userId: principal.userId } },
  })
  return includesRole(member && toProjectRole(member.role), needed)
}

const WHO_MAY: Record<Exclude<ProjectRole, 'VIEWER'>, string> = {
  EDITOR: 'Only the editors and owners of the project may do this.',
  OWNER: 'Only the owners of the project may do this.',
}

export type ProjectAccess = ReturnType<typeof createProjectAccess>

/** Tells what people may do in projects. What is asked at the same moment, for whatever rows, is one statement. */
export function createProjectAccess({ database: { prisma } }: { database: Database }) {
  const memberRole = createBatch(async (keys: string[]) => {
    const pairs = keys.map((key) => key.split(' '))
    const members = await prisma.projectMember.findMany({
      where: {
        userId: { in: [...new Set(pairs.map(([userId = '']) => userId))] },
        projectId: { in: [...new Set(pairs.map(([, projectId = '']) => projectId))] },
      },
      select: { userId: true, projectId: true, role: true },
    })
    return new Map(members.map((member) => [keyOf(member), toProjectRole(member.role)]))
  })
  const visibility = createBatch(async (ids: string[]) => {
    const projects = await prisma.project.findMany({
      where: { id: { in: ids } },
      select: { id: true, visibility: true },
    })
    return new Map(projects.map((project) => [project.id, toVisibility(project.visibility)]))
  })
  const keyOf = ({ userId, projectId }: { userId: string; projectId: string }) => `${userId} ${projectId}`

  /** The role that somebody has as a member, or as an administrator; null without. */
  async function roleIn(principal: Principal, projectId: string): Promise<ProjectRole | null> {
    if (isAdministrator(principal)) return 'OWNER'
    if (principal.kind !== 'user') return null
    return (await memberRole(keyOf({ userId: principal.userId, projectId }))) ?? null
  }

  return {
    roleIn,

    /** Whether somebody has a role in a project, and a credential to use it with. */
    async allows(principal: Principal, projectId: string, needed: Exclude<ProjectRole, 'VIEWER'>) {
      if (principal.kind !== 'user' || !hasScope(principal, 'RUN')) return false
      return includesRole(await roleIn(principal, projectId), needed)
    },

    /** Whether somebody may see a project now; nobody does that is not there any more. */
    async shows(principal: Principal, projectId: string): Promise<boolean> {
      if ((await roleIn(principal, projectId)) !== null) return true
      return principal.kind === 'user' && (await visibility(projectId)) === 'TEAM'
    },
  }
}
