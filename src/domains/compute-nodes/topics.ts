import type { Signals } from '../../streams/signals.ts'

/** The topics that what happens to compute nodes is announced under. */
export const nodeTopics = {
  /** The row of one node changed. */
  changed: (nodeId: string) => `node/${nodeId}`,
  /** The row of any node changed, or there is a new one, or one less. */
  any: 'nodes',
  /** What the agent of a node is to do changed, or how often it is to measure its machine. */
  orders: (nodeId: string) => `node/${nodeId}/orders`,
  /** A node measured itself. */
  telemetry: (nodeId: string) => `node/${nodeId}/telemetry`,
} as const

/** Tells everyone who watches a node that its row changed. */
export function announceNode(signals: Signals, nodeId: string): void {
  signals.notify(nodeTopics.changed(nodeId))
  signals.notify(nodeTopics.any, nodeId)
}
