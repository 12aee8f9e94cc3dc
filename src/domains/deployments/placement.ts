import type { Connection } from '../../db/statements.ts'
import { requireComputeNode } from '../compute-nodes/find.ts'
import type { Labels } from '../compute-nodes/labels.ts'
import { OWN_NODE_ID } from '../compute-nodes/own-node.ts'

/** Where a deployment is to be served. Without any wish that is the server's own machine. */
export interface PlacementWishes {
  wantedNodeId: string | null
  /** What must be said of the node. */
  wantedLabels: Labels
}

const NO_WISHES: PlacementWishes = { wantedNodeId: null, wantedLabels: {} }

/** What somebody asks for. @throws NotFoundError for a node that does not exist */
export async function requirePlacement(
  on: Connection,
  placement: { node?: string | null | undefined; labels: Labels } | null | undefined,
): Promise<PlacementWishes> {
  if (!placement) return NO_WISHES
  const { node, labels } = placement
  const wantedNodeId = node ? (await requireComputeNode(on, node)).id : null
  return { wantedNodeId, wantedLabels: labels }
}

/** Whether anything is asked for. */
export function hasWishes({ wantedNodeId, wantedLabels }: PlacementWishes): boolean {
  return wantedNodeId !== null || Object.keys(wantedLabels).length > 0
}

/** Whether it may come to be on another machine than the server's own. */
export function mayBeElsewhere(wishes: PlacementWishes): boolean {
  return hasWishes(wishes) && wishes.wantedNodeId !== OWN_NODE_ID
}
