import { join } from 'node:path'

/** Everything of a deployment lies in this folder, under that of all deployments. */
export function deploymentFolder(deploymentsDir: string, deploymentId: string): string {
  return join(deploymentsDir, deploymentId)
}

/** The supervisor's folder of one start of a model server. */
export function processFolder(
  deploymentsDir: string,
  server: { id: string; deploymentId: string; starts: number },
): string {
  return join(deploymentFolder(deploymentsDir, server.deploymentId), `${server.id}.${server.starts}`)
}
