import type { Prisma } from '../../generated/prisma/client.ts'
import { searchText } from '../../search-text.ts'
import { byIdOrName } from '../names.ts'
import type { RunStatus } from './status.ts'

/** Which runs a list shows; unset parts do not restrict. */
export interface RunFilter {
  /** Id or name. */
  project?: string | null
  status?: RunStatus[] | null
  search?: string | null
  /** The node that they were given to; id or name. */
  computeNode?: string | null
}

/** The runs that a filter selects. */
export function matchingRuns(filter: RunFilter | null | undefined): Prisma.RunWhereInput {
  if (!filter) return {}
  const { project, status, search, computeNode } = filter
  return {
    ...(project && { project: byIdOrName('Project', project) }),
    ...(computeNode && { node: byIdOrName('ComputeNode', computeNode) }),
    ...(status && { status: { in: status } }),
    ...(search && {
      OR: [
        { name: { contains: searchText(search) } },
        { model: { contains: searchText(search) } },
        { datasetName: { contains: searchText(search) } },
      ],
    }),
  }
}
