import type { Prisma } from '../../generated/prisma/client.ts'
import { kindOfId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { byIdOrName } from '../names.ts'
import type { DeploymentStatus } from './status.ts'

/** Which deployments a list shows; unset parts do not restrict. */
export interface DeploymentFilter {
  model?: string | null
  tag?: string | null
  status?: DeploymentStatus | null
  /** Id or name. */
  project?: string | null
  environment?: string | null
  /** Id or name. */
  computeNode?: string | null
}

/** The deployments that a filter selects. */
export function matchingDeployments(
  filter: DeploymentFilter | null | undefined,
): Prisma.DeploymentWhereInput {
  if (!filter) return {}
  const { model, tag, status, project, environment, computeNode } = filter
  return {
    ...(model && {
      OR: [
        { name: { contains: searchText(model) } },
        { modelPath: { contains: searchText(model) } },
        { modelVersion: { contains: searchText(model) } },
      ],
    }),
    ...(tag && { tags: { some: { value: tag } } }),
    ...(status && { status }),
    ...(environment && { environment }),
    ...(computeNode && { modelServers: { some: { node: byIdOrName('ComputeNode', computeNode) } } }),
    ...(project &&
      (kindOfId(project) === 'Project' ? { projectId: project } : { project: { name: project } })),
  }
}
