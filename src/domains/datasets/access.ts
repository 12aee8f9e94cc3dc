import type { Connection } from '../../db/statements.ts'
import { ForbiddenError, NotFoundError } from '../../errors.ts'
import type { Dataset, Prisma } from '../../generated/prisma/client.ts'
import { hasScope, isAdministrator, type Principal, type UserPrincipal } from '../accounts/principal.ts'
import { byIdOrName } from '../names.ts'
import { type ProjectAccess, requireRole } from '../projects/access.ts'

/*
 * Who may do what with a dataset. One that is in a project belongs to its members: they see it, its editors and owners
 * change it, and so does who made it, as long as they are a member; who made it and its owners take it out. One that is in none is changed by who made it,
 * and seen by them alone, or by everybody signed in when its visibility is TEAM. Administrators may do everything.
 */

/** What decides on a dataset. */
type Owned = Pick<Dataset, 'visibility' | 'createdById' | 'projectId'>

/** The datasets that somebody may see and train on. */
export function visibleDatasets(principal: Principal): Prisma.DatasetWhereInput {
  if (isAdministrator(principal)) return {}
  if (principal.kind === 'run') return { id: { in: [] } }
  return seenByMember(principal.userId)
}

/** The datasets that somebody sees for who they are, and not for being an administrator. */
function seenByMember(userId: string): Prisma.DatasetWhereInput {
  const open = [{ visibility: 'TEAM' }, { createdById: userId }]
  return { OR: [{ projectId: null, OR: open }, { project: { members: { some: { userId } } } }] }
}

/**
 * The datasets that may be meant by a name that stands in a project, or in a run that is resumed, since `namedAt`: those
 * in the project, and what the starter sees that is theirs or a member's, or was there before it was named. So nobody
 * brings data to the runs of others by taking a name that waits for its dataset.
 */
export function namedDatasets(
  starter: UserPrincipal,
  project: { id: string },
  namedAt: Date,
): Prisma.DatasetWhereInput {
  const trusted = [
    { createdById: starter.userId },
    { createdBy: { memberships: { some: { projectId: project.id } } } },
    { createdAt: { lt: namedAt } },
  ]
  return { OR: [{ projectId: project.id }, { AND: [seenByMember(starter.userId), { OR: trusted }] }] }
}

/**
 * The datasets among which a project's train config is looked for by its name alone: those in the project, and what
 * its owner or who starts the run made. Nobody else can bring a file to a run by giving it the right name, nor does
 * the name that an editor chose reach what only an administrator sees.
 */
export function configDatasets(
  starter: UserPrincipal,
  project: { id: string; ownerId: string },
): Prisma.DatasetWhereInput {
  const made = { createdById: { in: [project.ownerId, starter.userId] } }
  return { OR: [{ projectId: project.id }, { AND: [made, seenByMember(starter.userId)] }] }
}

/** A dataset that somebody sees. @throws NotFoundError */
export async function requireDataset(on: Connection, principal: Principal, ref: string): Promise<Dataset> {
  const dataset = await on.dataset.findFirst({
    where: { AND: [byIdOrName('Dataset', ref), visibleDatasets(principal)] },
  })
  if (!dataset) throw new NotFoundError('dataset', ref)
  return dataset
}

/** A dataset that somebody sees and may change. @throws NotFoundError, ForbiddenError */
export async function requireOwnDataset(on: Connection, principal: Principal, ref: string): Promise<Dataset> {
  const dataset = await requireDataset(on, principal, ref)
  if (mayAlways(principal, dataset)) return dataset
  if (dataset.projectId === null) throw new ForbiddenError('Only who made the dataset may do this.')
  await requireRole(on, principal, dataset.projectId, 'EDITOR')
  return dataset
}

/**
 * Lets those pass who may say who sees a dataset, which they may change: who made it, and the owners of its project.
 *
 * @throws ForbiddenError
 */
export async function requireGiver(on: Connection, principal: Principal, dataset: Dataset): Promise<void> {
  if (mayAlways(principal, dataset) || dataset.projectId === null) return
  await requireRole(on, principal, dataset.projectId, 'OWNER')
}

/** Whether somebody may see a dataset. */
export async function showsDataset(
  access: ProjectAccess,
  principal: Principal,
  dataset: Owned,
): Promise<boolean> {
  if (isAdministrator(principal)) return true
  if (dataset.projectId !== null) return (await access.roleIn(principal, dataset.projectId)) !== null
  return principal.kind === 'user' && (dataset.visibility === 'TEAM' || mayAlways(principal, dataset))
}

/** Whether somebody may change a dataset that they see. */
export async function allowsChange(
  access: ProjectAccess,
  principal: Principal,
  dataset: Owned,
): Promise<boolean> {
  if (principal.kind !== 'user' || !hasScope(principal, 'RUN')) return false
  if (mayAlways(principal, dataset)) return true
  return dataset.projectId !== null && access.allows(principal, dataset.projectId, 'EDITOR')
}

/** Whether somebody may change a dataset because it is theirs; provided that they see it. */
function mayAlways(principal: Principal, dataset: Owned): boolean {
  if (isAdministrator(principal)) return true
  return principal.kind === 'user' && principal.userId === dataset.createdById
}
