import type { Prisma } from '../../generated/prisma/client.ts'
import { storedWord } from '../stored-word.ts'

/** How a compute node stands. */
export const NODE_STATUSES = ['ONLINE', 'OFFLINE', 'DRAINING', 'STOPPED'] as const
export type NodeStatus = (typeof NODE_STATUSES)[number]

/** What its operator wants of a node: all work, none that is new, or none. */
export const NODE_MODES = ['ACTIVE', 'DRAINING', 'STOPPED'] as const
export type NodeMode = (typeof NODE_MODES)[number]

/** What a node is there for. */
export const NODE_TYPES = ['CONTROL', 'SERVER', 'EDGE', 'GATEWAY', 'PEER'] as const
export type NodeType = (typeof NODE_TYPES)[number]

const STATUS_OF_MODE: Record<NodeMode, NodeStatus> = {
  ACTIVE: 'ONLINE',
  DRAINING: 'DRAINING',
  STOPPED: 'STOPPED',
}

/** How a node stands: of one that is not heard of, that is all there is to say. */
export function nodeStatus({ isOnline, mode }: { isOnline: boolean; mode: string }): NodeStatus {
  return isOnline ? STATUS_OF_MODE[toNodeMode(mode)] : 'OFFLINE'
}

/** The nodes that stand so. */
export function withNodeStatus(status: NodeStatus): Prisma.ComputeNodeWhereInput {
  if (status === 'OFFLINE') return { isOnline: false }
  return { isOnline: true, mode: NODE_MODES.find((mode) => STATUS_OF_MODE[mode] === status) }
}

/** A stored mode; the database holds nothing else. */
export function toNodeMode(mode: string): NodeMode {
  return storedWord('a compute node', NODE_MODES, mode)
}

/** A stored type; the database holds nothing else. */
export function toNodeType(type: string): NodeType {
  return storedWord('a compute node', NODE_TYPES, type)
}
