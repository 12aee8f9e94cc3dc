import { toGiB } from '../../../gib.ts'
import type { Labels } from '../../compute-nodes/labels.ts'
import type { NodeStatus } from '../../compute-nodes/status.ts'
import type { RunWishes } from './wishes.ts'

/** A machine, as far as it matters for what it can be given. */
export interface PlacementNode {
  id: string
  name: string
  /** Whether it is the server's own. */
  isOwn: boolean
  status: NodeStatus
  labels: Labels
  maxRuns: number
  /** How many runs have a place on it. */
  runs: number
  gpus: PlacementGpu[]
  /** Null where it does not tell. */
  memoryBytes: number | null
  /** What is kept for the runs that it has. */
  reservedBytes: number
}

/** A GPU of a machine, by its number there. */
export interface PlacementGpu {
  index: number
  name: string
  isFree: boolean
}

/** How many nodes a reason speaks of one by one. */
const NODES_NAMED = 3

/** The GPUs of a node, free or not, that are of the kind that is wanted. */
export function usableGpus<Gpu extends { name: string }>(
  { gpus }: { gpus: Gpu[] },
  { gpuType }: RunWishes,
): Gpu[] {
  const part = gpuType?.toLowerCase()
  return part === undefined ? gpus : gpus.filter(({ name }) => name.toLowerCase().includes(part))
}

/** What stands in the way of a run with these wishes on a node now, in words; null when it fits. */
export function obstacleOf(node: PlacementNode, wishes: RunWishes): string | null {
  const { name } = node
  if (wishes.nodeId !== null && wishes.nodeId !== node.id) return `${name} is another node`
  const lack = labelsLacking(node, wishes) ?? lackOf(node, wishes)
  if (lack) return lack
  if (node.status !== 'ONLINE') return `${name} is ${node.status}`
  if (node.runs >= node.maxRuns) return `${name} runs ${node.runs} of ${node.maxRuns}`
  const gpus = usableGpus(node, wishes)
  const free = gpus.filter(({ isFree }) => isFree).length
  if (free < (wishes.gpuCount ?? 0)) return `${name} has ${free} of ${gpus.length} free`
  const freeBytes = (node.memoryBytes ?? 0) - node.reservedBytes
  if (wishes.memoryBytes > 0 && freeBytes < wishes.memoryBytes) {
    return `${name} has ${toGiB(freeBytes)} of ${toGiB(node.memoryBytes ?? 0)} GiB left`
  }
  return null
}

/**
 * Why a run that fits nowhere now waits: what it waits for and how the nodes stand that could have it, or that none
 * ever could as they are.
 */
export function whyItWaits(nodes: readonly PlacementNode[], wishes: RunWishes): string {
  const named = wishes.nodeId === null ? nodes : nodes.filter(({ id }) => id === wishes.nodeId)
  const labelled = named.filter((node) => labelsLacking(node, wishes) === null)
  if (labelled.length === 0) {
    const [first] = wishes.nodeId === null ? [] : named
    return first
      ? `${first.name} does not have the ${labelsOf(wishes)}.`
      : `No node has the ${labelsOf(wishes)}.`
  }
  const able = labelled.filter((node) => lackOf(node, wishes) === null)
  if (able.length === 0) {
    const lacks = labelled.map((node) => lackOf(node, wishes) ?? '')
    return `No node that it may run on has ${needsOf(wishes, '')}: ${list(lacks)}.`
  }
  const obstacles = able.map((node) => obstacleOf(node, wishes) ?? '')
  return `Waits for ${needsOf(wishes, 'free ') || 'a place'}: ${list(obstacles)}.`
}

/** Labels that a node would have to have, in words; null when it has all. */
export function labelsLacking(
  { name, labels }: Pick<PlacementNode, 'name' | 'labels'>,
  wishes: Pick<RunWishes, 'labels'>,
): string | null {
  const isThere = Object.entries(wishes.labels).every(([label, value]) => labels[label] === value)
  return isThere ? null : `${name} does not have the ${labelsOf(wishes)}`
}

/** What a node would have to have and has not, even with nothing on it, in words; null when it has all. */
function lackOf(node: PlacementNode, wishes: RunWishes): string | null {
  const count = usableGpus(node, wishes).length
  if (count < (wishes.gpuCount ?? 0)) return `${node.name} has ${count || 'none'}`
  if (wishes.memoryBytes === 0) return null
  if (node.memoryBytes === null) return `${node.name} does not tell its memory`
  return node.memoryBytes < wishes.memoryBytes
    ? `${node.name} has ${toGiB(node.memoryBytes)} GiB of memory`
    : null
}

function needsOf({ gpuCount, gpuType, memoryBytes }: RunWishes, how: string): string {
  const gpus = gpuCount ? `${gpuCount} ${how}${gpuCount === 1 ? 'GPU' : 'GPUs'}` : ''
  return [
    gpus && (gpuType === null ? gpus : `${gpus} of type ${gpuType}`),
    memoryBytes > 0 ? `${toGiB(memoryBytes)} GiB of ${how}memory` : '',
  ]
    .filter((need) => need !== '')
    .join(' and ')
}

function labelsOf({ labels }: Pick<RunWishes, 'labels'>): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return `${all.length === 1 ? 'label' : 'labels'} ${all.join(' and ')}`
}

function list(parts: string[]): string {
  const rest = parts.length - NODES_NAMED
  const shown = parts.slice(0, NODES_NAMED).join(', ')
  return rest > 0 ? `${shown}, and ${rest} more` : shown
}
