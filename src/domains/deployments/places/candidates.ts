import type { Connection } from '../../../db/statements.ts'
import { type Labels, toLabels } from '../../compute-nodes/labels.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'
import { nodeStatus } from '../../compute-nodes/status.ts'
import { labelsLacking } from '../../runs/placement/fit.ts'
import { hasWishes, type PlacementWishes } from '../placement.ts'

/** A machine that may be the place of a model server. */
export type Candidate = Awaited<ReturnType<typeof readNodes>>[number]

/** How many nodes a refusal speaks of one by one. */
const NODES_NAMED = 3

function readNodes(on: Connection, where: { id?: string }) {
  return on.computeNode.findMany({
    where,
    include: { labels: true, _count: { select: { modelServers: true } } },
    orderBy: { id: 'asc' },
  })
}

/**
 * The nodes to try, in this order: the one that is wished for; with labels alone all, the server's own first, then
 * those that have the fewest model servers; without wishes the server's own.
 */
export async function findCandidates(on: Connection, wishes: PlacementWishes): Promise<Candidate[]> {
  if (!hasWishes(wishes)) return readNodes(on, { id: OWN_NODE_ID })
  if (wishes.wantedNodeId !== null) return readNodes(on, { id: wishes.wantedNodeId })
  const rank = ({ id, _count }: Candidate) => (id === OWN_NODE_ID ? -1 : _count.modelServers)
  return (await readNodes(on, {})).sort((one, other) => rank(one) - rank(other))
}

/** A node as it stands now; null when it is gone. */
export async function readCandidate(on: Connection, id: string): Promise<Candidate | null> {
  return (await readNodes(on, { id }))[0] ?? null
}

/** Why a node takes no model server with these wishes, whatever room it has, as a sentence; null when it does. */
export function whyNotOn(node: Candidate, { wantedLabels }: { wantedLabels: Labels }): string | null {
  const { id, name, address } = node
  const lack = labelsLacking({ name, labels: toLabels(node.labels) }, { labels: wantedLabels })
  if (lack) return `${lack}.`
  const status = nodeStatus(node)
  if (status !== 'ONLINE') return `Compute node ${name} is ${status}.`
  if (id !== OWN_NODE_ID && address === null) return `Nobody knows the address of compute node ${name}.`
  return null
}

/** What there is, for somebody whose wishes nothing meets: the nodes that take work now. */
export async function whatThereIs(on: Connection): Promise<string> {
  const nodes = await on.computeNode.findMany({
    where: { isOnline: true, mode: 'ACTIVE' },
    select: { name: true },
    orderBy: { name: 'asc' },
  })
  if (nodes.length === 0) return 'No compute node takes work now.'
  return `Compute nodes that take work now: ${shorten(nodes.map(({ name }) => name)).join(', ')}.`
}

/** The first of many, and how many more there are. */
export function shorten(all: string[]): string[] {
  const rest = all.length - NODES_NAMED
  return rest > 0 ? [...all.slice(0, NODES_NAMED), `and ${rest} more`] : all
}
