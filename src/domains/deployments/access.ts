import type { Connection } from '../../db/statements.ts'
import { ForbiddenError, NotFoundError } from '../../errors.ts'
import type { Deployment, Prisma } from '../../generated/prisma/client.ts'
import { hasScope, isAdministrator, type Principal } from '../accounts/principal.ts'
import { type ProjectAccess, requireRole, visibleProjects } from '../projects/access.ts'

/*
 * A deployment in a project is for those who may see the project, and its editors change it. One without a project
 * is for everybody signed in, and its maker changes it. Administrators change all.
 */

/** The deployments that somebody may see, and use. */
export function visibleDeployments(principal: Principal): Prisma.DeploymentWhereInput {
  if (isAdministrator(principal)) return {}
  if (principal.kind === 'run') return { id: { in: [] } }
  return { OR: [{ projectId: null }, { project: visibleProjects(principal) }] }
}

/** A deployment that somebody sees. @throws NotFoundError */
export async function requireDeployment(
  on: Connection,
  principal: Principal,
  id: string,
): Promise<Deployment> {
  const found = await on.deployment.findFirst({ where: { AND: [{ id }, visibleDeployments(principal)] } })
  if (!found) throw new NotFoundError('deployment', id)
  return found
}

/** A deployment that somebody sees and may change. @throws NotFoundError, ForbiddenError */
export async function requireChangeable(
  on: Connection,
  principal: Principal,
  id: string,
): Promise<Deployment> {
  const found = await requireDeployment(on, principal, id)
  if (isAdministrator(principal)) return found
  if (found.projectId !== null) await requireRole(on, principal, found.projectId, 'EDITOR')
  else if (!isMaker(principal, found)) {
    throw new ForbiddenError('Only who made this deployment, and administrators, may do this.')
  }
  return found
}

/** By what it is decided who may change a deployment. */
export type DeploymentOwnership = Pick<Deployment, 'projectId' | 'createdById'>

/** Whether somebody may change a deployment, and has a credential to do it with. */
export async function mayChange(
  access: ProjectAccess,
  principal: Principal,
  deployment: DeploymentOwnership,
): Promise<boolean> {
  if (principal.kind !== 'user' || !hasScope(principal, 'RUN')) return false
  if (deployment.projectId !== null) return access.allows(principal, deployment.projectId, 'EDITOR')
  return isAdministrator(principal) || isMaker(principal, deployment)
}

function isMaker(principal: Principal, { createdById }: Pick<Deployment, 'createdById'>): boolean {
  return principal.kind === 'user' && principal.userId === createdById
}
