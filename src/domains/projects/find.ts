import type { Connection } from '../../db/statements.ts'
import { NotFoundError } from '../../errors.ts'
import type { Project, User } from '../../generated/prisma/client.ts'
import { kindOfId } from '../../ids.ts'
import type { Principal } from '../accounts/principal.ts'
import { requireRole, visibleProjects } from './access.ts'
import type { ProjectRole } from './roles.ts'

/** How a project is found by what a person calls it: its id, or its name. */
export function byRef(ref: string): { id: string } | { name: string } {
  return kindOfId(ref) === 'Project' ? { id: ref } : { name: ref }
}

/** A project that somebody sees and has a role in. @throws NotFoundError, ForbiddenError */
export async function requireProject(
  on: Connection,
  principal: Principal,
  ref: string,
  needed: ProjectRole,
): Promise<Project> {
  const project = await on.project.findFirst({ where: { AND: [byRef(ref), visibleProjects(principal)] } })
  if (!project) throw new NotFoundError('project', ref)
  await requireRole(on, principal, project.id, needed)
  return project
}

/** How a person is found by what others call them: their id, or their username. */
export function byPerson(ref: string): { id: string } | { username: string } {
  return kindOfId(ref) === 'User' ? { id: ref } : { username: ref.trim().toLowerCase() }
}

/** A person who can be given something: whose account is in use. @throws NotFoundError */
export async function requireRecipient(on: Connection, ref: string): Promise<User> {
  const user = await on.user.findFirst({ where: { ...byPerson(ref), deactivatedAt: null } })
  if (!user) throw new NotFoundError('user', ref)
  return user
}
