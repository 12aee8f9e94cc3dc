import { realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { ValidationError } from '../../errors.ts'

/** Where models may come from. */
export interface ModelSources {
  /** Folders, as absolute paths. */
  modelRoots: string[]
  allowHubModels: boolean
}

/** How the Hugging Face hub names models. */
const HUB_NAME = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/

/**
 * The model that somebody means: a file or folder under one of the configured folders, given as an absolute path or
 * as one that starts there; or, where that is allowed, a name on the Hugging Face hub, which is left to the engine.
 * Links are followed before it is decided whether a path lies there. Of what lies elsewhere nothing is told, not
 * even whether it exists.
 *
 * @param mayBeElsewhere whether it may be served by another machine: then an absolute path under one of these folders is
 *   taken for what lies there, if nothing lies here
 * @returns the path without links, or the name
 * @throws ValidationError at modelPath
 */
export async function resolveModelPath(
  given: string,
  sources: ModelSources,
  mayBeElsewhere = false,
): Promise<string> {
  if (given.includes('\0') || given.split(/[\\/]/).includes('..')) {
    throw ValidationError.at('modelPath', 'Must be a plain path, without "..".')
  }
  const roots = await realRoots(sources.modelRoots)
  for (const candidate of isAbsolute(given) ? [resolve(given)] : roots.map(({ real }) => join(real, given))) {
    const isNamed = roots.some(({ root, real }) => liesUnder(candidate, root) || liesUnder(candidate, real))
    const found = isNamed ? await realpath(candidate).catch(() => null) : null
    if (found === null) continue
    if (roots.some(({ real }) => liesUnder(found, real))) return found
    throw ValidationError.at('modelPath', outside(sources))
  }
  if (sources.allowHubModels && HUB_NAME.test(given)) return given
  if (mayBeElsewhere && isAbsolute(given)) {
    const path = resolve(given)
    if (sources.modelRoots.some((root) => liesUnder(path, root))) return path
  }
  const isInside = roots.some(({ root, real }) => liesUnder(given, root) || liesUnder(given, real))
  throw ValidationError.at(
    'modelPath',
    isInside || !isAbsolute(given) ? `There is no model at ${given}. ${outside(sources)}` : outside(sources),
  )
}

/** The folders that exist, each as it was configured and without links. */
async function realRoots(roots: string[]): Promise<{ root: string; real: string }[]> {
  const found = await Promise.all(
    roots.map(async (root) => ({ root, real: await realpath(root).catch(() => null) })),
  )
  return found.flatMap(({ root, real }) => (real === null ? [] : [{ root, real }]))
}

function liesUnder(path: string, root: string): boolean {
  const way = relative(root, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function outside({ modelRoots, allowHubModels }: ModelSources): string {
  const hub = allowHubModels
    ? ' or be a name on the Hugging Face hub'
    : '; names on the Hugging Face hub are not allowed here'
  return `A model must lie under ${modelRoots.join(' or ')} (TRAINYARD_MODEL_ROOTS)${hub}. Checkpoints of runs are given as artifactId.`
}
