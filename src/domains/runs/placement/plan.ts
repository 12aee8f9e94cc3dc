import { obstacleOf, type PlacementNode, usableGpus, whyItWaits } from './fit.ts'
import type { RunWishes } from './wishes.ts'

/** A run that waits for its place. */
export interface WaitingRun {
  id: string
  projectId: string
  priority: number
  wishes: RunWishes
}

/** Where the queue stands. */
export interface Situation {
  nodes: readonly PlacementNode[]
  /** How many places the runs of each project have now. */
  placesOf: ReadonlyMap<string, number>
  /** Those that wait. */
  queue: readonly WaitingRun[]
}

/** A run that gets a place, and what it has there for itself. */
export interface Placement {
  runId: string
  nodeId: string
  gpus: number[]
}

/** What is to be done about a queue. */
export interface PlacementPlan {
  /** In the order in which they get their places. */
  placements: Placement[]
  /** For each of the others what it waits for, in words. */
  reasons: Map<string, string>
}

/**
 * Gives places to those that wait: a higher priority first, then the project that has fewer places, then the one that
 * waited longer. One that fits nowhere now holds up nobody. Without wishes the server's own machine is taken while it
 * has a place; else, and otherwise, the node with the most free places.
 */
export function planPlacements({ nodes, placesOf, queue }: Situation): PlacementPlan {
  const state = nodes.map((node) => ({ ...node, gpus: node.gpus.map((gpu) => ({ ...gpu })) }))
  const places = new Map(placesOf)
  const placements: Placement[] = []
  const left: WaitingRun[] = []
  // Places only become fewer here: what fitted nowhere once, fits nowhere after it.
  const hopeless = new Set<string>()
  for (const run of inTurn(queue, places)) {
    const node = hopeless.has(keyOf(run.wishes)) ? null : choose(state, run.wishes)
    if (!node) {
      hopeless.add(keyOf(run.wishes))
      left.push(run)
      continue
    }
    const gpus = usableGpus(node, run.wishes)
      .filter(({ isFree }) => isFree)
      .slice(0, run.wishes.gpuCount ?? 0)
    for (const gpu of gpus) gpu.isFree = false
    node.runs += 1
    node.reservedBytes += run.wishes.memoryBytes
    places.set(run.projectId, (places.get(run.projectId) ?? 0) + 1)
    placements.push({ runId: run.id, nodeId: node.id, gpus: gpus.map(({ index }) => index) })
  }
  return { placements, reasons: reasonsOf(left, state) }
}

/** Those that wait, one after the other; who is next depends on the places that were given meanwhile. */
function* inTurn(queue: readonly WaitingRun[], places: ReadonlyMap<string, number>): Generator<WaitingRun> {
  const byPriority = Map.groupBy(queue, ({ priority }) => priority)
  for (const [, runs] of [...byPriority].sort(([one], [other]) => other - one)) {
    // The longest waiting stand at the end, where they are taken from.
    const lines = [...Map.groupBy(runs.toSorted(youngestFirst), ({ projectId }) => projectId)]
    while (lines.length > 0) {
      const [next] = lines
        .map(([projectId, line]) => ({
          line,
          places: places.get(projectId) ?? 0,
          first: line.at(-1)?.id ?? '',
        }))
        .sort((one, other) => one.places - other.places || compare(one.first, other.first))
      const run = next?.line.pop()
      if (run) yield run
      for (const [index, [, line]] of lines.entries()) if (line.length === 0) lines.splice(index, 1)
    }
  }
}

/** The node that something with these wishes gets a place on; null when it fits nowhere now. */
function choose<Node extends PlacementNode>(nodes: Node[], wishes: RunWishes): Node | null {
  const fitting = nodes.filter((node) => obstacleOf(node, wishes) === null)
  const own = fitting.find(({ isOwn }) => isOwn)
  if (own && hasNoWishes(wishes)) return own
  const freePlaces = (node: Node) => node.maxRuns - node.runs
  const [best] = fitting.sort(
    (one, other) =>
      freePlaces(other) - freePlaces(one) ||
      Number(other.isOwn) - Number(one.isOwn) ||
      compare(one.id, other.id),
  )
  return best ?? null
}

function reasonsOf(left: WaitingRun[], nodes: PlacementNode[]): Map<string, string> {
  const known = new Map<string, string>()
  return new Map(
    left.map(({ id, wishes }) => {
      const key = keyOf(wishes)
      const reason = known.get(key) ?? whyItWaits(nodes, wishes)
      known.set(key, reason)
      return [id, reason]
    }),
  )
}

function hasNoWishes({ nodeId, labels, gpuCount, memoryBytes }: RunWishes): boolean {
  return nodeId === null && Object.keys(labels).length === 0 && !gpuCount && memoryBytes === 0
}

/** The same for the same wishes. */
const keyOf = (wishes: RunWishes) => JSON.stringify(wishes)

const youngestFirst = (one: WaitingRun, other: WaitingRun) => compare(other.id, one.id)
const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
