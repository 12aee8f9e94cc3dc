import type { Connection } from '../../db/statements.ts'
import { ForbiddenError, NotFoundError } from '../../errors.ts'
import type { Alert, Prisma } from '../../generated/prisma/client.ts'
import { isAdministrator, type Principal } from '../accounts/principal.ts'
import { requireRole, visibleProjects } from '../projects/access.ts'

/*
 * An alert of something in a project is for those who may see the project, and its editors acknowledge it. One of a
 * compute node, or of a deployment without a project, is for everybody signed in; administrators acknowledge it, and
 * who made the deployment.
 */

/** The alerts that somebody may see. */
export function visibleAlerts(principal: Principal): Prisma.AlertWhereInput {
  if (isAdministrator(principal)) return {}
  if (principal.kind === 'run') return { id: { in: [] } }
  return { OR: [{ projectId: null }, { project: visibleProjects(principal) }] }
}

/** An alert that somebody sees and may acknowledge. @throws NotFoundError, ForbiddenError */
export async function requireAcknowledgeable(
  on: Connection,
  principal: Principal,
  id: string,
): Promise<Alert> {
  const alert = await on.alert.findFirst({ where: { AND: [{ id }, visibleAlerts(principal)] } })
  if (!alert) throw new NotFoundError('alert', id)
  if (isAdministrator(principal)) return alert
  if (alert.projectId !== null) await requireRole(on, principal, alert.projectId, 'EDITOR')
  else if (!(await isMaker(on, principal, alert))) {
    throw new ForbiddenError('Only administrators, and who made the deployment, may acknowledge this alert.')
  }
  return alert
}

async function isMaker(on: Connection, principal: Principal, { subjectKind, subjectId }: Alert) {
  if (principal.kind !== 'user' || subjectKind !== 'Deployment') return false
  const deployment = await on.deployment.findUnique({
    where: { id: subjectId },
    select: { createdById: true },
  })
  return deployment?.createdById === principal.userId
}
