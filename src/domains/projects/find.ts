import type { Connection } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import type { Project, User } from '../../generated/prisma/client.ts'
import { byUserRef } from '../accounts/names.ts'
import type { Principal } from '../accounts/principal.ts'
import { byIdOrName } from '../names.ts'
import { requireRole, visibleProjects } from './access.ts'
import type { ProjectRole } from './roles.ts'

/** A project that somebody sees and has a role in. @throws NotFoundError, ForbiddenError */
export async function requireProject(
  on: Connection,
  principal: Principal,
  ref: string,
  needed: ProjectRole,
): Promise<Project> {
  const project = await on.project.findFirst({
    where: { AND: [byIdOrName('Project', ref), visibleProjects(principal)] },
  })
  if (!project) throw new NotFoundError('project', ref)
  await requireRole(on, principal, project.id, needed)
  return project
}

/** A person who can be given something: whose account is in use. @throws NotFoundError */
export async function requireRecipient(on: Connection, ref: string): Promise<User> {
  const user = await on.user.findFirst({ where: { ...byUserRef(ref), deactivatedAt: null } })
  if (!user) throw new NotFoundError('user', ref)
  return user
}
