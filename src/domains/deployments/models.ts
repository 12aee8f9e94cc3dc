import { realpath } from 'node:fs/promises'
import { basename, relative } from 'node:path'
import type { Database } from '../../db/database.ts'
import { NotFoundError, UnavailableError } from '../../errors.ts'
import type { Principal } from '../accounts/principal.ts'
import { visibleRuns } from '../runs/access.ts'
import { artifactPath } from '../runs/artifact-path.ts'
import { runPaths } from '../runs/paths.ts'
import { type ModelSources, resolveModelPath } from './model-path.ts'

/** A model that somebody may deploy. */
export interface Model {
  modelPath: string
  artifactId: string | null
  /** Of an artifact: the project that it is of. */
  projectId: string | null
  /** What it is called unless somebody says otherwise. */
  name: string
  version: string | null
}

/** What is needed to find models. */
export interface ModelDependencies extends ModelSources {
  database: Database
  runsDir: string
}

/**
 * The model that somebody names, by an artifact that they see or by a path.
 *
 * @param mayBeElsewhere whether it may be served by another machine, and a path be one there
 * @throws NotFoundError, ValidationError, UnavailableError when an artifact is not on this machine
 */
export async function findModel(
  deps: ModelDependencies,
  principal: Principal,
  given: { artifactId?: string | null | undefined; modelPath?: string | null | undefined },
  mayBeElsewhere: boolean,
): Promise<Model> {
  if (given.artifactId) return findArtifact(deps, principal, given.artifactId)
  const modelPath = await resolveModelPath(given.modelPath ?? '', deps, mayBeElsewhere)
  return {
    modelPath,
    artifactId: null,
    projectId: null,
    name: modelPath.startsWith('/') ? basename(modelPath) : modelPath,
    version: null,
  }
}

async function findArtifact(deps: ModelDependencies, principal: Principal, id: string): Promise<Model> {
  const artifact = await deps.database.prisma.artifact.findFirst({
    where: { id, run: visibleRuns(principal) },
    include: { run: { include: { project: true } } },
  })
  if (!artifact) throw new NotFoundError('artifact', id)
  const { run } = artifact
  const found = await realpath(artifactPath(artifact)).catch(() => null)
  const home = await realpath(runPaths(deps.runsDir, run.id).root).catch(() => null)
  if (found === null || home === null || relative(home, found).startsWith('..')) {
    throw new UnavailableError(`The files of artifact ${artifact.name} are not where its run left them.`)
  }
  return {
    modelPath: found,
    artifactId: artifact.id,
    projectId: run.projectId,
    name: `${run.project.name}/${run.name}/${artifact.name}`.slice(0, 200),
    version: artifact.name.slice(0, 200),
  }
}
