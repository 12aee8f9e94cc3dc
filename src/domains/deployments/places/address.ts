import { isIP } from 'node:net'
import type { ComputeNode } from '../../../generated/prisma/client.ts'
import { localUrl } from '../../../local-url.ts'
import { OWN_NODE_ID } from '../../compute-nodes/own-node.ts'

/** A node, as far as it matters for where its model servers are. */
export type AddressedNode = Pick<ComputeNode, 'id' | 'address'>

/**
 * The address that a model server is told to listen on: of another node the one that it is reached at, where that is
 * known as such, and no other.
 *
 * @param deploymentHost that of the server's own machine
 */
export function listeningAddress({ id, address }: AddressedNode, deploymentHost: string): string {
  if (id === OWN_NODE_ID) return deploymentHost
  return address !== null && isIP(address) !== 0 ? address : '0.0.0.0'
}

/** Where what listens on a port of a node is reached from here; null when nobody knows the address of the node. */
export function serverUrl(
  { id, address }: AddressedNode,
  port: number,
  deploymentHost: string,
): string | null {
  if (id === OWN_NODE_ID) return localUrl(deploymentHost, port)
  const url = address === null ? null : localUrl(address, port)
  return url !== null && URL.canParse(url) ? url : null
}
