import { DeploymentDeleteDocument, DeploymentListDocument } from '../../src/generated/operations.ts'
import type { ApiClient } from './client.ts'

/** Deletes every deployment of a server, so that a test leaves no process behind whatever became of it. */
export async function deleteDeployments(api: ApiClient): Promise<void> {
  const { deployments } = await api.send(DeploymentListDocument, { first: 100 })
  const deletions = deployments.edges.map(async ({ node }) => {
    const input = { deploymentId: node.id }
    const { deleteDeployment } = await api.send(DeploymentDeleteDocument, { input })
    if (deleteDeployment.__typename !== 'Deployment') throw new Error(deleteDeployment.message)
  })
  await Promise.all(deletions)
}
