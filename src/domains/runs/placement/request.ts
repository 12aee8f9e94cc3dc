import type { Connection } from '../../../db/statements.ts'
import type { UserPrincipal } from '../../accounts/principal.ts'
import { requireComputeNode } from '../../compute-nodes/find.ts'
import type { Labels } from '../../compute-nodes/labels.ts'
import type { JsonObject } from '../../input.ts'
import { hasRole, requireRole } from '../../projects/access.ts'
import { type RunWishes, resourceWishes } from './wishes.ts'

/** What a request says of where its run is to be. */
interface PlacementRequest {
  placement?: { node?: string | null | undefined; labels: Labels } | null | undefined
  resources: JsonObject
}

/**
 * The wishes of a new run.
 *
 * @param before those of the run that it continues, of which node and labels stay when the request says nothing of them
 * @throws NotFoundError for a node that does not exist, ValidationError
 */
export async function requireWishes(
  on: Connection,
  { placement, resources }: PlacementRequest,
  before: RunWishes | null,
): Promise<RunWishes> {
  const place = placement
    ? {
        nodeId: placement.node ? (await requireComputeNode(on, placement.node)).id : null,
        labels: placement.labels,
      }
    : { nodeId: before?.nodeId ?? null, labels: before?.labels ?? {} }
  return { ...place, ...resourceWishes(resources) }
}

/**
 * The priority of a new run: above others it is put by the owners of its project, below them by its editors too.
 *
 * @param before that of the run that it continues, which stays when the request says nothing, as far as it may
 * @throws ForbiddenError
 */
export async function requirePriority(
  on: Connection,
  user: UserPrincipal,
  projectId: string,
  priority: number | null | undefined,
  before = 0,
): Promise<number> {
  if (typeof priority !== 'number') {
    return before > 0 && !(await hasRole(on, user, projectId, 'OWNER')) ? 0 : before
  }
  if (priority > 0) await requireRole(on, user, projectId, 'OWNER')
  return priority
}
